"""Batches of windows for training: collators, masks, sampling, augmentation."""
