"""What the reports say of the room: what it rests on, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from posepipe.body.outcomes import Estimate
from posepipe.record.recording import Person, Recording
from posepipe.reports.blocks import Block, Paragraph, Table
from posepipe.reports.drawings import BAND
from posepipe.reports.sections import with_error, words
from posepipe.texts import ENGLISH, Texts

__all__ = ["room_blocks", "standing"]


def room_blocks(person: Person, say: Texts = ENGLISH) -> tuple[Block, ...]:
    """Jumps, speed, steps and turning, as tables; nothing where nothing is known."""
    found = person.outcomes
    if found is None or not found.known:
        return ()
    rows = tuple(
        (say(words(name)), with_error(item.value, item.sigma))
        for name, item in found.items.items()
        if isinstance(item, Estimate)
    )
    blocks: list[Block] = [Table(rows, (0.6, 0.4), (say("Measure"), say("Value")))]
    if len(found.jumps) > 1:
        jumps = tuple(
            (
                f"{jump.start_s:.2f} s",
                with_error(jump.height_m.value, jump.height_m.sigma),
                with_error(jump.flight_s.value, jump.flight_s.sigma),
            )
            for jump in found.jumps
        )
        head = (say("Take-off"), say(words("jump_height_m")), say(words("flight_time_s")))
        blocks.append(Table(jumps, (0.3, 0.35, 0.35), head))
    if person.gait.withheld is None:
        blocks.append(
            Paragraph(say("Measured on the way through the room; what the gait section gives isn't repeated."), "soft")
        )
    return tuple(blocks)


def standing(recording: Recording, person: Person, say: Texts = ENGLISH) -> Iterator[str]:
    """What the world rests on, where it is known."""
    world = person.world
    if world is None or not world.knows("gravity"):
        return
    if world.rough:
        yield say("Which way is up is known only roughly: who stays on the spot before a bare room tells it least.")
    yield say(
        "Which way is up was told from the movement and from edges of the room: ± {roll}° sideways, ± {pitch}° "
        "towards the camera. The trunk's lean is measured against it.",
        roll=f"{BAND * float(world.up_sigma_deg[0]):.0f}",
        pitch=f"{BAND * float(world.up_sigma_deg[1]):.0f}",
    )
    if world.knows("floor"):
        yield say(
            "The camera stands {height} ± {half} m over the floor.",
            height=f"{world.camera_m:.1f}",
            half=f"{BAND * world.camera_sigma_m:.1f}",
        )
    if recording.camera_motion is not None and recording.camera_motion.kind == "turning":
        yield say(
            "The camera turned by {deg}° to either side of its middle; this was told from the background and is taken "
            "out of the way through the room.",
            deg=f"{recording.camera_motion.swing_deg:.0f}",
        )
