"""Measures of clips of Foal's world, from frames and sound alone: prompt following, motion, sync.

`measure` scores one clip and `measure_folder` a folder of clips. They find the camera and the
background (`camera`), segment and track objects (`segmentation`, `object_tracks`), and judge
appearance, motion, sharpness, sound and diversity. Start with `measure.measure_clip`.
May import `generator.foal.world`, no model or training code.
"""
