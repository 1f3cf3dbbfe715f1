"""δ by indirect inference: the strength of the innovation externality that gives the response of patents, (27).

>>> from reesim.empirics.delta import Episode, Target, of_slides

Names are imported when they are first used; modules can be imported as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reesim.lazy import names

_HOME = {
    "Case": "study",
    "Episode": "auxiliary",
    "Profile": "profile",
    "Reading": "auxiliary",
    "Report": "outputs",
    "Response": "auxiliary",
    "Study": "study",
    "Target": "target",
    "describe": "profile",
    "of_panel": "target",
    "of_slides": "target",
    "run": "outputs",
}

__all__ = list(_HOME)

if TYPE_CHECKING:
    from reesim.empirics.delta.auxiliary import Episode as Episode
    from reesim.empirics.delta.auxiliary import Reading as Reading
    from reesim.empirics.delta.auxiliary import Response as Response
    from reesim.empirics.delta.outputs import Report as Report
    from reesim.empirics.delta.outputs import run as run
    from reesim.empirics.delta.profile import Profile as Profile
    from reesim.empirics.delta.profile import describe as describe
    from reesim.empirics.delta.study import Case as Case
    from reesim.empirics.delta.study import Study as Study
    from reesim.empirics.delta.target import Target as Target
    from reesim.empirics.delta.target import of_panel as of_panel
    from reesim.empirics.delta.target import of_slides as of_slides

__getattr__, __dir__ = names(__name__, _HOME)
