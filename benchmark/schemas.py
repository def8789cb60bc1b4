"""The columns of a result, as data: `run/1`, `queries/1`, `strata/1` and `lists/1`.

Within a major version columns may be added; a type, a unit or a meaning never changes under an old name. A reader
therefore fills a column that it misses with null, and keeps one that it does not know.
"""

import pyarrow as pa

RUN_SCHEMA, QUERIES_SCHEMA, STRATA_SCHEMA, LISTS_SCHEMA = "run/1", "queries/1", "strata/1", "lists/1"

_text, _flag, _int, _float, _time = pa.string(), pa.bool_(), pa.int32(), pa.float64(), pa.timestamp("us", tz="UTC")
_train_set = pa.struct([("name", _text), ("labels_sha256", _text), ("data_sha256", _text), ("split", _text)])


def _fields(kind: pa.DataType, names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, kind) for name in names.split()]


RUN = pa.schema(
    [
        # identity: config_id leaves the seed out, so it groups the seeds of one configuration
        *_fields(_text, "schema_version run_id config_id"),
        # state
        *_fields(_text, "status error_class reason_code provenance division"),
        *_fields(_flag, "official flagged"),
        *_fields(_text, "flag_reason superseded_by notes"),
        # method
        *_fields(_text, "method method_version display_name mode paper_ref licence"),
        *_fields(_text, "backbone pretrain_id pretrain_sha256"),
        ("pretrain_data", pa.list_(_text)),
        ("overlap_declared", _flag),
        # training data
        ("train_sets", pa.list_(_train_set)),
        *_fields(_int, "n_train_ids n_train_imgs"),
        ("synth_recipe_sha256", _text),
        # protocol
        *_fields(_text, "eval_set eval_labels_sha256 eval_data_sha256 lists_sha256 protocol_id protocol_sha256"),
        *_fields(_text, "ap_variant tie_rule invalid_query_policy junk_rule cmc_kind metric rank_by rerank"),
        ("flip_tta", _flag),
        *_fields(_int, "n_trials input_h input_w feat_dim"),
        ("list_depth", _int),  # ranks up to this are known of every query; null: all are
        # cuts that were asked for beside the standard ones, as they were written: lists/1 then has their columns
        ("cuts_by", pa.list_(_text)),
        ("cuts_pairs", pa.list_(_text)),
        # seed and code
        ("seed", _int),
        *_fields(_text, "seed_group git_commit git_diff_sha256 package_version"),
        ("git_dirty", _flag),
        # environment
        *_fields(_text, "python torch cuda cudnn driver amp"),
        *_fields(_flag, "deterministic tf32"),
        *_fields(_text, "gpu_name cpu_model machine_hash env_freeze_sha256"),
        *_fields(_int, "n_gpus n_cpus processes"),
        ("ram_gb", pa.float32()),
        # cost
        *_fields(_time, "started_at ended_at"),
        *_fields(_float, "train_s eval_s img_per_s params_m gflops"),
        *_fields(_int, "peak_gpu_mb epochs"),
        # selection
        *_fields(_text, "ckpt_selection val_set"),
        ("n_test_evals", _int),
        # artefacts
        *_fields(_text, "ckpt_sha256 log_sha256 features_sha256 queries_sha256 strata_sha256 config_json"),
        # headline, 0 to 1: mAP is discrete AP over valid queries
        *_fields(_float, "mAP mINP R1 R5 R10 mAP_id_macro mAP_trapz"),
        # ties and guards
        *_fields(_int, "n_query_tied n_nonfinite_q n_nonfinite_g"),
        *_fields(_float, "mAP_opt R1_opt"),
        # the means over all queries, where one without a positive counts as 0
        *_fields(_float, "mAP_all mAP_trapz_all"),
        # over the trials of a protocol; the spread over seeds is of several runs
        *_fields(_float, "sd_trials_mAP sd_trials_R1"),
        # support
        *_fields(_int, "n_query_total n_query_valid n_gallery n_id"),
    ]
)

STATUSES = ("ok", "failed", "killed", "partial")
PROVENANCES = ("ran_here", "rescored", "verified", "literature")
SCORES = (
    "mAP",
    "mINP",
    "R1",
    "R5",
    "R10",
    "mAP_id_macro",
    "mAP_trapz",
    "mAP_opt",
    "R1_opt",
    "mAP_all",
    "mAP_trapz_all",
)  # each 0 to 1

QUERIES = pa.schema(
    [
        ("run_id", _text),
        ("trial", pa.int16()),
        ("query_idx", _int),  # the position with role query in lists/1
        ("image_id", _text),
        ("id_space", _text),
        ("pid", _int),
        ("camid", pa.int16()),
        *_fields(pa.float32(), "ap ap_trapz inp"),
        ("first_rank", _int),  # 0: no positive
        *_fields(_int, "n_pos n_junk n_gallery_eff"),
        ("pos_ranks", pa.list_(_int)),  # ascending, junk removed, pessimistic
        ("pos_gidx", pa.list_(_int)),  # the position with role gallery in lists/1, in the order of pos_ranks
        ("n_ties", _int),
        *_fields(pa.float32(), "ap_opt inp_opt"),  # null where nothing is tied
        ("first_rank_opt", _int),
        ("first_rank_id", _int),  # rank among identities; 0: not computed
        *_fields(pa.float32(), "d_first_pos d_first_neg"),
        # optional: the first K of the ranking, junk removed, as positions with role gallery, and their distances
        ("top_gidx", pa.list_(_int)),
        ("top_dist", pa.list_(pa.float32())),
    ]
)

STRATA = pa.schema(
    [
        ("run_id", _text),
        ("trial", pa.int16()),  # null: over all trials
        *_fields(_text, "scheme_id scheme_sha256 cut q_stratum g_stratum"),
        ("stratum_order", pa.int16()),
        ("metric", _text),
        *_fields(_float, "value se ci_lo ci_hi"),
        ("ci_method", _text),
        ("sd_trials", _float),  # of the value over the trials of a protocol; null where there is one
        *_fields(_int, "ci_B ci_seed n_query n_id n_pos_pairs n_gallery"),
        ("low_support", _flag),  # under 30 identities: no interval
    ]
)

LISTS = pa.schema(
    [
        ("role", _text),
        ("position", _int),
        *_fields(_text, "image_id sha256 id_space"),
        ("pid", _int),
        *_fields(pa.int16(), "camid place"),
        ("modality", _text),
        *_fields(pa.float32(), "lightness stops size exposure"),
        ("scene", _text),
        ("trial", pa.int16()),  # positions are counted within a trial and a role; null: the only trial
    ]
)

TABLES = {"lists": (LISTS_SCHEMA, LISTS), "queries": (QUERIES_SCHEMA, QUERIES), "strata": (STRATA_SCHEMA, STRATA)}

# The keys: a file without one of these columns, or with a null in it, is refused; every other column may be null.
REQUIRED = {
    "run": ("run_id", "status", "provenance"),
    "lists": ("role", "position", "image_id", "sha256", "id_space", "pid", "camid", "place"),
    "queries": ("run_id", "query_idx", "image_id", "pos_ranks", "pos_gidx"),
    "strata": ("run_id", "scheme_id", "cut", "metric"),
}
