"""Nights of whole frames: one light over a street and a clip, the camera's own codec, and crops cut out afterwards."""
