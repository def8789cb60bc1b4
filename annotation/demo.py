"""The demo's steps of this package."""

from pathlib import Path


def annotate(folder: Path) -> None:
    """Cut stand-in boxes out of two stand-in frames."""
    import cv2
    import numpy as np

    from annotation import crops
    from benchmark import images

    boxes = [
        crops.Box(camera, 0, pid, 20 + 150 * pid + 40 * camera, 90, 80, 180) for camera in (1, 2) for pid in (1, 2, 3)
    ]
    frames = {(camera, 0): np.full((360, 640, 3), 18 * camera, np.uint8) for camera in (1, 2)}
    for box in boxes:
        picture, colour = frames[box.camera, box.frame], (30 + 40 * box.pid, 90, 150 - 40 * box.pid)
        cv2.ellipse(picture, (box.x + 40, box.y + 110), (28, 66), 0, 0, 360, colour, -1)
        cv2.circle(picture, (box.x + 40, box.y + 26), 16, (120, 96, 80), -1)
    for (camera, frame), picture in frames.items():
        images.save(folder / "frames" / f"c{camera}_{frame:04d}.jpg", picture)
    crops.cut(frames, boxes, "demo-annotated", folder / "annotated")


STEPS = {"annotate": annotate}
