"""What every column of a board means, and in which unit, as data; it travels beside every table that is exported."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmark import durable
from benchmark.errors import UserError, nearest
from leaderboards import history


class Meaning(NamedTuple):
    """A column's unit, where it has one, and what it says."""

    unit: str
    text: str


Columns = dict[str, Meaning]

_SHARE, _COUNT, _HASH, _RANK = "share, 0 to 1", "count", "SHA-256, hexadecimal", "rank, from 1"
_SECONDS, _TIME, _DISTANCE = "seconds", "UTC", "distance, in the run's metric"

FIELDS = ("table", "column", "type", "unit", "key", "meaning")


def _meanings(unit: str, texts: Mapping[str, str]) -> dict[str, Meaning]:
    return {name: Meaning(unit, text) for name, text in texts.items()}


_RUN_ID = _meanings("", {"run_id": "The run: first 32 digits of the SHA-256 of its inputs and of a nonce."})

# Where a number stands: in strata/1, means/1 and pairs/1.
_CELL: Columns = {
    "scheme_id": Meaning("", "The scheme of levels and its version; two at once are joined by +; all: no levels."),
    "scheme_sha256": Meaning(_HASH, "The scheme's measure, edges and names."),
    "cut": Meaning("", "What is cut: all, query, pos, pair_pos, worst, slope or within (docs/results.md)."),
    "q_stratum": Meaning("", "The level of the query; null: all queries."),
    "g_stratum": Meaning("", "The level of the positives; null: all positives. Negatives are never cut."),
    "stratum_order": Meaning("", "The place of the level in its scheme, from 0."),
    "metric": Meaning("", "Which number `value` is: mAP, R1, chance_mAP and so on (docs/results.md)."),
}
_SUPPORT: Columns = _meanings(
    _COUNT,
    {
        "n_query": "Queries in the cell that have a positive there; of the cut within, scenes.",
        "n_id": "Identities among these queries: the unit of chance.",
        "n_pos_pairs": "Pairs of such a query and a positive.",
        "n_gallery": "Gallery images, before junk is taken out; over several trials their mean.",
    },
) | {"low_support": Meaning("", "Fewer than 30 identities: no interval.")}
_BOUNDS: Columns = {
    "se": Meaning("as value", "Standard error of the value over identities."),
    "ci_lo": Meaning("as value", "Lower end of the 95 % interval over identities; null under 30 of them."),
    "ci_hi": Meaning("as value", "Upper end of the 95 % interval over identities; null under 30 of them."),
    "ci_method": Meaning("", "How the interval was made; null where there is none."),
    "ci_B": Meaning(_COUNT, "How often identities were drawn."),
    "ci_seed": Meaning("", "The seed of these draws."),
}
_GROUP: Columns = _meanings(
    _HASH,
    {
        "lists_sha256": "Who is compared with whom: the rows of the lists. Only equal ones may be compared.",
        "protocol_sha256": "The rules of the protocol. Only equal ones may be compared.",
        "measures_sha256": "What the levels were read from (light, size, exposure of every row of the lists).",
    },
) | {"analysis": Meaning("", "Version, draws and seed of the computation; another one is computed again.")}

_STATE: Columns = _RUN_ID | _meanings(
    "",
    {
        "schema_version": "The schema of the record, run/1.",
        "config_id": "The configuration: SHA-256 of the inputs without the seed, so that it groups the seeds.",
        "status": "ok, failed, killed or partial (trained, not tested).",
        "error_class": "The class of the error that ended a failed run.",
        "reason_code": "Why there is no number, as a word: oom, not_tested, truncated and so on.",
        "provenance": "ran_here, rescored (our evaluator on somebody's features or lists), verified or literature.",
        "division": "closed (backbone, training data, input size and protocol are fixed) or open.",
        "official": "Whether the method's authors ran it.",
        "flagged": "Something is wrong with it: shown apart, never ranked.",
        "flag_reason": "What is wrong.",
        "superseded_by": "The run that stands for it.",
        "notes": "What whoever reads the run should know.",
    },
)
_METHOD: Columns = _meanings(
    "",
    {
        "method": "The method's name.",
        "method_version": "Its version, in its authors' words.",
        "display_name": "What tables call it.",
        "mode": "paper, released or ours: which of them it follows where they differ.",
        "paper_ref": "The paper.",
        "licence": "The licence of the method's code.",
        "backbone": "The network that is trained.",
        "pretrain_id": "The weights it begins with; null: random ones.",
        "pretrain_data": "The data that these weights have seen.",
        "overlap_declared": "Whether it is declared that those data hold people or pictures of the test.",
        "train_sets": "What it was trained on: name, labels_sha256, data_sha256 and split of every set.",
    },
) | {
    "pretrain_sha256": Meaning(_HASH, "The file of these weights."),
    "n_train_ids": Meaning(_COUNT, "Identities that it was trained on."),
    "n_train_imgs": Meaning(_COUNT, "Images that it was trained on."),
    "synth_recipe_sha256": Meaning(_HASH, "The recipe of synthetic training data."),
}
_PROTOCOL: Columns = _meanings(
    "",
    {
        "eval_set": "The sources of the manifest that was tested on, joined by +.",
        "protocol_id": "The protocol's name.",
        "ap_variant": "The rule of AP behind mAP: discrete.",
        "tie_rule": "Where a negative with a positive's score stands: pessimistic is before it.",
        "invalid_query_policy": "What a query without a positive does to a mean: skip, or count as 0.",
        "junk_rule": "Which gallery rows a query does not see, in words.",
        "cmc_kind": "first: rank of the first match; dedup: among identities.",
        "metric": "How two vectors are compared: cosine, dot, euclidean, or a ready matrix.",
        "rank_by": "The number that the protocol ranks by.",
        "rerank": "none, or the re-ranking and its numbers.",
        "flip_tta": "Whether vectors of mirror images were added.",
        "cuts_by": "Cuts of queries that were asked for beside the standard ones.",
        "cuts_pairs": "Cuts of pairs that were asked for beside the standard ones.",
    },
) | {
    "eval_labels_sha256": Meaning(_HASH, "The labels of the manifest."),
    "eval_data_sha256": Meaning(_HASH, "The pictures of the manifest."),
    "lists_sha256": _GROUP["lists_sha256"],
    "protocol_sha256": _GROUP["protocol_sha256"],
    "n_trials": Meaning(_COUNT, "Repetitions of the protocol; numbers are means over them."),
    "input_h": Meaning("pixels", "Height of the network's input."),
    "input_w": Meaning("pixels", "Width of the network's input."),
    "feat_dim": Meaning(_COUNT, "Numbers in a vector."),
}
_CODE: Columns = _meanings(
    "",
    {
        "seed": "The seed of the training.",
        "seed_group": "A name for seeds that belong together, where somebody gives one.",
        "git_commit": "The commit of this project that ran; null: not from its own repository.",
        "package_version": "The version of this project that ran.",
        "git_dirty": "Whether files differed from the commit; such a run is never ranked.",
        "python": "Version of Python.",
        "torch": "Version of torch.",
        "cuda": "Version of CUDA.",
        "cudnn": "Version of cuDNN.",
        "driver": "Version of the GPU's driver.",
        "amp": "The numbers it was trained in: fp32, bf16, fp16.",
        "deterministic": "Whether the training was asked to give the same weights again; False is never ranked.",
        "tf32": "Whether the GPU may round float32 products.",
        "gpu_name": "The GPU; null: none.",
        "cpu_model": "The processor.",
        "machine_hash": "Tells machines apart and does not name them.",
    },
) | {
    "git_diff_sha256": Meaning(_HASH, "What differed from the commit."),
    "env_freeze_sha256": Meaning(_HASH, "Names and versions of all packages."),
    "n_gpus": Meaning(_COUNT, "GPUs that were used."),
    "n_cpus": Meaning(_COUNT, "Processor cores that could be used."),
    "processes": Meaning(_COUNT, "Processes that trained together."),
    "ram_gb": Meaning("GiB", "Memory of the machine."),
}
_COST: Columns = {
    "started_at": Meaning(_TIME, "When the run began."),
    "ended_at": Meaning(_TIME, "When it ended."),
    "train_s": Meaning(_SECONDS, "Time of the training."),
    "eval_s": Meaning(_SECONDS, "Time of the evaluation."),
    "img_per_s": Meaning("images a second", "Speed of the training."),
    "params_m": Meaning("millions", "Parameters that embedding uses."),
    "gflops": Meaning("10^9 operations", "Cost of embedding one image; a multiplication with its sum counts twice."),
    "peak_gpu_mb": Meaning("MiB", "The most GPU memory that tensors took."),
    "epochs": Meaning(_COUNT, "Epochs that were trained."),
    "ckpt_selection": Meaning("", "Which weights were tested: last, val_best, or test_best, which is never ranked."),
    "val_set": Meaning("", "What they were chosen on."),
    "n_test_evals": Meaning(_COUNT, "Looks at these test lists by this method, this one among them."),
}
_FILES: Columns = _meanings(
    _HASH,
    {
        "ckpt_sha256": "The file of the weights.",
        "log_sha256": "The training's log.",
        "features_sha256": "The vectors that were ranked.",
        "queries_sha256": "The run's file of queries/1; its first 32 digits name it on the board.",
        "strata_sha256": "The run's file of strata/1; its first 32 digits name it on the board.",
        "lists_file_sha256": "The file of lists/1, which runs share; its first 32 digits are in its name on the board.",
        "measures_sha256": _GROUP["measures_sha256"].text,
        "submission_sha256": "The submission that was scored; null: it came as a bundle.",
    },
) | _meanings(
    "",
    {
        "config_json": "The resolved configuration, as JSON.",
        "list_depth": "Ranks up to this are known of every query, junk removed; null: all are.",
        "disclosures": "What whoever handed it in says of it, in words.",
        "contact": "Whom to ask.",
        "files": "Further files that the board keeps: name, sha256, and size in bytes.",
    },
)
_SCORES: Columns = _meanings(
    _SHARE,
    {
        "mAP": "Mean over valid queries of discrete AP.",
        "mINP": "Mean of (number of positives) / (rank of the last one).",
        "R1": "Share of queries with a positive first.",
        "R5": "Share of queries with a positive among the first 5.",
        "R10": "Share of queries with a positive among the first 10.",
        "mAP_id_macro": "Mean over identities of the mean AP of their queries.",
        "mAP_trapz": "Mean of AP by the trapezoid rule; stands beside mAP, never instead of it.",
        "mAP_opt": "mAP with every tie in the query's favour.",
        "R1_opt": "R1 with every tie in the query's favour.",
        "mAP_all": "mAP where a query without a positive counts as 0.",
        "mAP_trapz_all": "mAP_trapz where a query without a positive counts as 0.",
        "sd_trials_mAP": "Standard deviation of mAP over the trials of a protocol.",
        "sd_trials_R1": "Standard deviation of R1 over the trials of a protocol.",
    },
) | _meanings(
    _COUNT,
    {
        "n_query_tied": "Queries with a positive that ties with a negative.",
        "n_nonfinite_q": "Queries that could not be scored.",
        "n_nonfinite_g": "Gallery rows that could not be scored.",
        "n_query_total": "Queries.",
        "n_query_valid": "Queries that have a positive.",
        "n_gallery": "Gallery images.",
        "n_id": "Identities among the valid queries.",
    },
)

_QUERIES: Columns = (
    _RUN_ID
    | _meanings(
        "",
        {
            "trial": "The trial, from 0.",
            "query_idx": "The query: its `position` with role query in lists/1.",
            "image_id": "Its image.",
            "id_space": "The name space of its pid.",
            "pid": "Its identity.",
            "camid": "Its camera.",
        },
    )
    | _meanings(
        _SHARE,
        {
            "ap": "Discrete AP; null: no positive.",
            "ap_trapz": "AP by the trapezoid rule; null: no positive.",
            "inp": "(number of positives) / (rank of the last one); null: no positive.",
            "ap_opt": "ap with every tie in the query's favour; null: nothing is tied.",
            "inp_opt": "inp with every tie in the query's favour; null: nothing is tied.",
        },
    )
    | _meanings(
        _COUNT,
        {
            "n_pos": "Positives that it sees.",
            "n_junk": "Gallery rows that it does not see.",
            "n_gallery_eff": "Gallery rows that it sees.",
            "n_ties": "Positives that tie with a negative.",
        },
    )
    | _meanings(
        _RANK,
        {
            "first_rank": "Rank of the first positive; 0: no positive.",
            "pos_ranks": "Rank of every positive, ascending; junk is left out, ties are pessimistic.",
            "first_rank_opt": "first_rank with every tie in the query's favour; null: nothing is tied.",
            "first_rank_id": "Rank among identities, each at its best image; 0: not computed.",
        },
    )
    | {
        "pos_gidx": Meaning("", "The positives, in the order of pos_ranks: their `position` with role gallery."),
        "d_first_pos": Meaning(_DISTANCE, "To the first positive."),
        "d_first_neg": Meaning(_DISTANCE, "To the first negative."),
        "top_gidx": Meaning("", "The first of the ranking: their `position` with role gallery; null: not kept."),
        "top_dist": Meaning(_DISTANCE, "To these; null: not kept."),
    }
)
_STRATA: Columns = (
    _RUN_ID
    | _CELL
    | _BOUNDS
    | _SUPPORT
    | {
        "trial": Meaning("", "The trial; null: over all trials."),
        "value": Meaning(_SHARE, "The number; for slope and within a difference of shares."),
        "sd_trials": Meaning("as value", "Standard deviation over the trials of a protocol."),
    }
)
_LISTS: Columns = _meanings(
    "",
    {
        "role": "query or gallery.",
        "position": "The row's number within its role and trial, from 0.",
        "image_id": "The image: source and path.",
        "id_space": "The name space of its pid.",
        "pid": "Its identity; 0: a distractor.",
        "camid": "Its camera; 0: unknown.",
        "place": "Its place, which junk rules compare; 0: unknown.",
        "modality": "visible, infrared or thermal.",
        "scene": "One key a shot: equal for every exposure of it, and for nothing else.",
        "trial": "The trial, from 0; null: the only one.",
    },
) | {
    "sha256": Meaning(_HASH, "The picture's file."),
    "lightness": Meaning("0 to 255", "Mean over the picture of the largest of R, G and B."),
    "stops": Meaning("log2", "Of the median linear luminance, 0 being full white; one less is half the light."),
    "size": Meaning("pixels", "Height of the box in its frame, or of the picture where no box is known."),
    "exposure": Meaning("log2", "Light relative to the scene's reference; negative is darker."),
}
_MARKS: Columns = (
    _RUN_ID
    | _meanings(
        "",
        {
            "mark": "flagged, cleared, superseded, verified or reason.",
            "value": "superseded: the run that stands for it; reason: the code; verified: whose machine, as a hash.",
            "why": "The reason, in words.",
            "package_version": "The version of this project that wrote the mark.",
            "git_commit": "The commit that wrote the mark.",
        },
    )
    | {"at": Meaning(_TIME, "When it was said.")}
)
_PUBLISHED: Columns = (
    _meanings(
        "",
        {
            "method": "The method, in the source's words.",
            "backbone": "Its network; null: not stated.",
            "dataset": "The set, in the source's words.",
            "protocol": "The protocol, in the source's words; null: not stated.",
            "direction": "query -> gallery; null: there is one direction, or it is not stated.",
            "eval_set": "The set beside whose runs it stands; null: none of ours.",
            "protocol_id": "The protocol beside whose runs it stands; null: none of ours.",
            "ap_rule": "discrete, trapezoid or unknown.",
            "denominator": "What mAP is divided by: valid queries, all queries or unknown.",
            "source": "Where the number is printed.",
            "note": "What a reader must know of it.",
        },
    )
    | _meanings(
        _SHARE,
        {
            "mAP": "mAP as printed, by ap_rule over denominator.",
            "mINP": "mINP as printed.",
            "R1": "R-1 as printed.",
            "R5": "R-5 as printed.",
            "R10": "R-10 as printed.",
            "R20": "R-20 as printed.",
        },
    )
    | {"n_query": Meaning(_COUNT, "Queries of the official lists; null: not known, or drawn.")}
)
_MEANS: Columns = (
    _GROUP
    | _CELL
    | _BOUNDS
    | _SUPPORT
    | {
        "config_id": _STATE["config_id"],
        "run_ids": Meaning("", "The runs that are averaged, by seed."),
        "value": Meaning(_SHARE, "Mean over the seeds; for slope and within a difference of shares."),
        "sd_seeds": Meaning("as value", "Standard deviation over seeds; null: one seed."),
        "sd_trials": _STRATA["sd_trials"],
        "seeds": Meaning(_COUNT, "Seeds that are averaged."),
    }
)
_PAIRS: Columns = (
    _GROUP
    | _CELL
    | {name: _SUPPORT[name] for name in ("n_id", "n_query")}
    | _meanings(
        "",
        {
            "config_a": "The configuration that is compared.",
            "config_b": "The one that it is compared with.",
            "run_ids_a": "The runs of a, by seed; only seeds that both have.",
            "run_ids_b": "The runs of b, in the same order.",
            "ci_method": "How the interval was made; null where there is none.",
            "flip_seed": "The seed of the sign flips.",
            "same_sign": "Whether the difference has the same sign in every seed.",
            "claim": "What may be said of a: better, worse, or nothing (empty).",
        },
    )
    | _meanings(
        _SHARE,
        {
            "a": "Mean of a.",
            "b": "Mean of b.",
            "difference": "a less b.",
            "se": "Standard error of the difference over seeds and identities.",
            "ci_lo": "Lower end of the 95 % interval of the difference.",
            "ci_hi": "Upper end of the 95 % interval of the difference.",
        },
    )
    | _meanings(
        "probability",
        {
            "p": "Of so large a difference if there is none: seeds and identities are drawn.",
            "p_flip": "The same by sign flips of identities: these seeds are taken as they are.",
            "p_holm": "The larger of the two, corrected for the levels of the scheme (Holm).",
        },
    )
    | {
        "df": Meaning("", "Degrees of freedom of the interval's t."),
        "flips": Meaning(_COUNT, "How often signs were flipped."),
        "seeds": Meaning(_COUNT, "Seeds that both have."),
    }
)

# `board table --format csv`: a line a number, all in one file.
_TABLE: Columns = {
    "board": Meaning("", "The board. In every column a text that begins with = + - or @ stands behind an apostrophe."),
    "title": Meaning("", "The table that the number stands in."),
    "eval_set": _PROTOCOL["eval_set"],
    "protocol_id": _PROTOCOL["protocol_id"],
    "lists_sha256": _GROUP["lists_sha256"],
    "protocol_sha256": _GROUP["protocol_sha256"],
    "section": Meaning("", "ranked, apart (not ranked, see why), lost (no number) or published (from a paper)."),
    "place": Meaning("from 1", "Place in the table; equal ones cannot be told apart; empty: not ranked, or few seeds."),
    "name": Meaning("", "What the table calls it."),
    "method": _METHOD["method"],
    "config_id": _STATE["config_id"],
    "run_ids": Meaning("", "The runs that are averaged, by seed, with blanks between them."),
    "tier": Meaning("", "ran here, rescored, verified or literature: how far the number can be trusted."),
    "division": _STATE["division"],
    "official": _STATE["official"],
    "seeds": _MEANS["seeds"],
    "n_test_evals": Meaning(_COUNT, "Looks at these test lists by this method."),
    "flags": Meaning("", "What was done that others may not have done, joined by semicolons."),
    "disclosures": Meaning("", "What whoever handed it in says of it, joined by semicolons."),
    "why": Meaning("", "Why it is not ranked, or has no number."),
    "cut": _CELL["cut"],
    "scheme_id": _CELL["scheme_id"],
    "q_stratum": _CELL["q_stratum"],
    "g_stratum": _CELL["g_stratum"],
    "column": Meaning("", "The heading that the number stands under."),
    "level": Meaning("", "Of the worst level: which one it is."),
    "metric": Meaning("", "Which number `value` is: mAP, R1 and so on (docs/results.md)."),
    "value": Meaning(_SHARE, "Mean over the seeds; of a paper, as printed; for slope and within a difference."),
    "sd_seeds": Meaning("as value", "Standard deviation over seeds; empty: one seed."),
    "ci_lo": Meaning("as value", "Lower end of the 95 % interval over identities; empty under 30 of them."),
    "ci_hi": Meaning("as value", "Upper end of the 95 % interval over identities; empty under 30 of them."),
    "bold": Meaning("", "yes: by paired tests it is better than every other row of five seeds or more."),
    "reason": Meaning("", "Why there is no value, or no interval."),
    "difference": Meaning("as value", "The leader of the column less this row; empty: not tested."),
    "difference_lo": Meaning("as value", "Lower end of its 95 % interval."),
    "difference_hi": Meaning("as value", "Upper end of its 95 % interval."),
    "p": Meaning("probability", "The larger of two: seeds and identities drawn, and sign flips of identities."),
    "p_corrected": Meaning(
        "probability", "The same, corrected (Holm) for tests of the whole, or of levels, of the table."
    ),
    "chance": Meaning("as value", "What a random order of the gallery would give; empty: not known for this metric."),
    "n_query": _SUPPORT["n_query"],
    "n_id": _SUPPORT["n_id"],
    "positives_per_query": Meaning(_COUNT, "Mean number of positives of a query in the cell."),
    "dataset": _PUBLISHED["dataset"],
    "protocol": _PUBLISHED["protocol"],
    "ap_rule": Meaning("", "Of a paper's number: discrete, trapezoid or unknown."),
    "denominator": _PUBLISHED["denominator"],
    "source": _PUBLISHED["source"],
    "note": _PUBLISHED["note"],
}

# Every column of every kind of table that a board keeps.
COLUMNS: Mapping[str, Columns] = {
    "runs": _STATE | _METHOD | _PROTOCOL | _CODE | _COST | _FILES | _SCORES,
    "queries": _QUERIES,
    "strata": _STRATA,
    "lists": _LISTS,
    "marks": _MARKS,
    "published": _PUBLISHED,
    "means": _MEANS,
    "pairs": _PAIRS,
}
# And of what is exported from it: text, where a column with a unit holds a number.
EXPORTS: Mapping[str, Columns] = {"table": _TABLE}

KNOWN = (*COLUMNS, *EXPORTS)


def table(kind: str) -> list[dict[str, str]]:
    """Describe the columns of a kind, in their order: one row a column, all of them text."""
    if kind in EXPORTS:
        return [
            _row(kind, name, "number" if meaning.unit and meaning.unit != _HASH else "text", meaning)
            for name, meaning in EXPORTS[kind].items()
        ]
    if kind not in COLUMNS:
        raise UserError(f"no table of a board is called {kind!r}; {nearest(kind, list(KNOWN))}")
    known = history.kind(kind)
    described = COLUMNS[kind]
    return [
        _row(kind, field.name, str(field.type), described[field.name], field.name in known.keys)
        for field in known.schema
    ]


def write(path: Path, kinds: Iterable[str] = KNOWN) -> None:
    """Write the dictionary of some kinds as a CSV."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for kind in kinds for row in table(kind))
    durable.write_bytes(path, buffer.getvalue().encode())


def _row(kind: str, name: str, type_name: str, meaning: Meaning, key: bool = False) -> dict[str, str]:
    values = (kind, name, type_name, meaning.unit, "yes" if key else "", meaning.text)
    return dict(zip(FIELDS, values, strict=True))
