"""SAM 2 [1] on a film: what is pointed at in the first frame is followed by a memory that the network keeps.

The network and its weights are transformers' (``Sam2VideoModel``), from the hub or a folder, as ``facebook/sam2.1-hiera-tiny``.
Frames are taken as they come; of the past only as many frames are held as the network looks back on.

[1] Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixelwise.core.arrays import BoolArray
from pixelwise.core.card import Card
from pixelwise.core.errors import CheckpointError, MissingFile, OptionError
from pixelwise.core.image import RGB, Image, as_image, read_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import from_dense
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Picture

LABELS = LabelSet.of(["object"], things=["object"])
_STROKE = 16  # places of a stroke that are given as points


class Sam2Video:
    """Follow objects by SAM 2; a ``Predictor`` of instances with ``track_ids``, once it is told what to follow.

    ``Sam2Video.load("facebook/sam2.1-hiera-tiny").following([Prompt(box=(10, 20, 80, 90))])``
    """

    follows = True

    def __init__(
        self,
        model: Any,
        processor: Any,
        name: str = "sam2",
        prompts: Sequence[Prompt] = (),
        masks: Sequence[BoolArray] = (),
        device: str = "cpu",
    ) -> None:
        """Take a ``Sam2VideoModel`` and its ``Sam2VideoProcessor``; ``masks`` (H, W) are objects of the first frame, too."""
        self.model = model.to(device).eval()
        self.processor = processor
        self.name = name
        self.prompts, self.masks = tuple(prompts), tuple(masks)
        self.device = device

    @classmethod
    def load(cls, name: str, device: str = "auto") -> "Sam2Video":
        """Load weights of the hub, or of a folder, onto a device; of several the first, as a film is one line of frames.

        Raises:
            MissingFile: they are not there, and the hub cannot be reached.
            CheckpointError: they do not fit their configuration.
        """
        from transformers import Sam2VideoModel, Sam2VideoProcessor

        try:
            model = Sam2VideoModel.from_pretrained(name, use_safetensors=True)
            processor = Sam2VideoProcessor.from_pretrained(name)
        except OSError as error:
            first = str(error).strip().partition("\n")[0]
            raise MissingFile(
                f"{name}: SAM 2's weights cannot be had ({first}); give a folder that holds them, or connect to the hub once; "
                f"without them, prompts are followed by flow and colours (a method such as grabcut with --box)"
            ) from None
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"{name}: its weights do not fit its configuration: {error}") from None
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return cls(model, processor, name, device=device.partition(",")[0])

    def following(self, prompts: Sequence[Prompt] = (), masks: Sequence[BoolArray] = ()) -> "Sam2Video":
        """Give the same network, told what to follow: an object a prompt, then one a mask (H, W) of the first frame."""
        return Sam2Video(self.model, self.processor, self.name, prompts, masks, self.device)

    @property
    def card(self) -> Card:
        """What this is."""
        return Card(f"sam2 {self.name}", "instance", LABELS, options={"weights": self.name})

    def fingerprint(self) -> str:
        """Sum up the weights' name and what is followed."""
        told = [one.to_json() for one in self.prompts], [hashlib.sha256(mask.tobytes()).hexdigest() for mask in self.masks]
        size = sum(parameter.numel() for parameter in self.model.parameters())
        return hashlib.sha256(f"sam2 {self.name} {size} {told}".encode()).hexdigest()

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Follow through the frames of one film, from its start."""
        return list(self.stream(images, request))

    def stream(self, images: Iterable[Picture], request: Request = PLAIN, batch: int = 8) -> Iterator[Segmentation]:
        """Give the objects of frame after frame; nothing is read ahead.

        Raises:
            OptionError: there is nothing to follow, or a prompt lies outside of the first frame.
        """
        if not (self.prompts or self.masks):
            raise OptionError("SAM 2 follows what is pointed at in the first frame: --box, --point, --prompts or --first-mask")
        session = self.processor.init_video_session(inference_device=self.device, dtype=self.model.dtype)
        for index, picture in enumerate(images):
            opened = read_image(Path(picture)) if isinstance(picture, str | Path) else as_image(picture)
            image = opened.to_bands(RGB)
            inputs = self.processor(images=image.bytes(), device=self.device, return_tensors="pt")
            if index == 0:
                self._point(session, image)
            with torch.inference_mode():
                found = self.model(
                    inference_session=session, frame=inputs.pixel_values[0].to(self.model.dtype), frame_idx=index
                )
            logits = self.processor.post_process_masks([found.pred_masks.float()], original_sizes=[image.size], binarize=False)[
                0
            ]
            self._forget(session, index)
            yield _segmentation(logits[:, 0].cpu().numpy(), found.object_score_logits.float().reshape(-1).cpu().numpy())

    def _point(self, session: Any, image: Image) -> None:
        """Tell the network what to follow, object by object, as each is pointed at in its own way."""
        for number, prompt in enumerate(self.prompts, start=1):
            told = _inputs(prompt.checked(image.size), image)
            self.processor.add_inputs_to_inference_session(session, 0, number, original_size=image.size, **told)
        for number, mask in enumerate(self.masks, start=len(self.prompts) + 1):
            if mask.shape != image.size:
                raise OptionError(f"a mask to follow is {mask.shape}, the first frame is {image.size} (height, width)")
            self.processor.add_inputs_to_inference_session(session, 0, number, input_masks=mask)
        session.obj_with_new_inputs = list(session.obj_ids)  # each call above takes only its own object as new

    def _forget(self, session: Any, index: int) -> None:
        """Let go of frames, and of memories that are too old to be looked at; the session would keep them all."""
        session.processed_frames[index] = None
        config = self.model.config
        oldest = index - max(config.num_maskmem, config.max_object_pointers_in_encoder)
        for outputs in session.output_dict_per_obj.values():
            outputs["non_cond_frame_outputs"].pop(oldest, None)
        for tracked in session.frames_tracked_per_obj.values():
            tracked.pop(oldest, None)


def _inputs(prompt: Prompt, image: Image) -> dict[str, Any]:
    """Say a prompt as the processor takes it: nested lists of one image and one object."""
    if prompt.polygon:
        return {"input_masks": prompt.polygon_mask(image.size)}
    points = list(prompt.points)
    for line, inside in prompt.scribbles:
        step = max(1, len(line) // _STROKE)
        points += [(x, y, inside) for x, y in line[::step]]
    told: dict[str, Any] = {}
    if points:
        told["input_points"] = [[[[x, y] for x, y, _ in points]]]
        told["input_labels"] = [[[int(inside) for _, _, inside in points]]]
    if prompt.box is not None:
        told["input_boxes"] = [[list(prompt.box)]]
    return told


def _segmentation(logits: Any, scores: Any) -> Segmentation:
    """Give each pixel to the object that claims it most, and leave out objects that are not seen."""
    numbers = np.arange(1, len(logits) + 1)
    claimed = (logits > 0) & (logits.argmax(axis=0) == numbers[:, None, None] - 1)
    sure = 1 / (1 + np.exp(-scores.astype(np.float64)))
    seen = claimed.any(axis=(1, 2)) & (sure > 0.5)
    return Segmentation(
        "instance", from_dense(claimed[seen]), numbers[seen] * 0, LABELS, scores=sure[seen], track_ids=numbers[seen]
    )
