"""Pictures as a manifest knows them: a file that changed since it was measured is refused, never shown or handed on."""

from benchmark import durable, images
from benchmark.errors import UserError
from benchmark.images import Picture, PictureError
from benchmark.manifest import Manifest


def read(manifest: Manifest, row: int) -> bytes:
    """Read one row's file; where the row carries a hash, the bytes must be those that were measured."""
    file = images.locate(*manifest.file(row))
    data = images.read(*manifest.file(row))
    sha256 = manifest.table["sha256"][row].as_py()
    if sha256 is not None and durable.sha256(data) != sha256:
        raise UserError(f"{file}: is not the file that was measured; run `luxreid data measure --again`")
    return data


def load(manifest: Manifest, row: int) -> Picture:
    """Read and decode one row's picture."""
    data = read(manifest, row)
    try:
        return images.decode(data)
    except PictureError as error:
        raise PictureError(f"{images.locate(*manifest.file(row))}: {error}") from None
