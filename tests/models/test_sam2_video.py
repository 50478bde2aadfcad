"""SAM 2 follows what it is pointed at, frame by frame, and holds no more of the past than it looks at.

The weights are random, as those of the hub are not at hand: what is tested is the way in and out, not the quality.
"""

import numpy as np
import pytest

from pixelwise.core.errors import MissingFile, OptionError
from pixelwise.core.image import Image
from pixelwise.core.prompt import Prompt
from pixelwise.core.streaming import Following

SIDE = 128


@pytest.fixture(scope="module")
def small():
    torch = pytest.importorskip("torch")
    from transformers import (
        Sam2ImageProcessor,
        Sam2VideoConfig,
        Sam2VideoModel,
        Sam2VideoProcessor,
        Sam2VideoVideoProcessor,
    )

    from pixelwise.models.sam2_video import Sam2Video

    torch.manual_seed(0)
    cells = SIDE // 16
    config = Sam2VideoConfig(
        image_size=SIDE,
        num_maskmem=3,
        max_object_pointers_in_encoder=3,
        memory_attention_num_layers=1,
        memory_attention_rope_feat_sizes=[cells, cells],
        prompt_encoder_config={"image_size": SIDE},
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "image_size": [SIDE, SIDE],
                "blocks_per_stage": [1, 2, 2, 1],
                "embed_dim_per_stage": [16, 32, 64, 128],
                "num_attention_heads_per_stage": [1, 2, 4, 8],
                "hidden_size": 16,
                "global_attention_blocks": [4],
            },
            "backbone_channel_list": [128, 64, 32, 16],
            "backbone_feature_sizes": [[4 * cells, 4 * cells], [2 * cells, 2 * cells], [cells, cells]],
        },
    )
    size = {"height": SIDE, "width": SIDE}
    processor = Sam2VideoProcessor(Sam2ImageProcessor(size=size), Sam2VideoVideoProcessor(size=size), target_size=SIDE)
    return Sam2Video(Sam2VideoModel(config), processor, "random")


def film(count):
    rng = np.random.default_rng(0)
    return [Image(rng.integers(0, 255, (48, 80, 3)).astype(np.uint8)) for _ in range(count)]


@pytest.mark.slow
def test_points_boxes_polygons_and_masks_are_followed(small):
    mask = np.zeros((48, 80), bool)
    mask[10:20, 10:20] = True
    prompts = [
        Prompt(points=((20.0, 20.0, True), (70.0, 40.0, False)), box=(10, 10, 40, 40)),
        Prompt(polygon=((50, 5), (70, 5), (70, 30))),
        Prompt(scribbles=((((3.0, 3.0), (9.0, 9.0)), True),)),
    ]
    found = small.following(prompts, [mask])(film(6))
    assert len(found) == 6
    assert isinstance(small, Following)
    assert all(one.size == (48, 80) and set(one.track_ids.tolist()) <= {1, 2, 3, 4} for one in found)


@pytest.mark.slow
def test_the_past_is_forgotten(small, monkeypatch):
    sessions, begin = [], small.processor.init_video_session
    monkeypatch.setattr(
        small.processor,
        "init_video_session",
        lambda **options: sessions.append(begin(**options)) or sessions[-1],
        raising=False,
    )
    list(small.following([Prompt(box=(10, 10, 40, 40))]).stream(film(9)))
    (session,) = sessions
    assert len(session.output_dict_per_obj[0]["non_cond_frame_outputs"]) <= 3
    assert all(frame is None for frame in session.processed_frames.values())


@pytest.mark.slow
def test_without_anything_to_follow_or_without_weights_it_says_what_to_do(small, tmp_path):
    with pytest.raises(OptionError, match="pointed at in the first frame"):
        small(film(1))
    from pixelwise.models.sam2_video import Sam2Video

    with pytest.raises(MissingFile, match="SAM 2's weights cannot be had"):
        Sam2Video.load(str(tmp_path))
