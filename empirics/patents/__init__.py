"""Patents and earnings calls: which texts speak of rare earths, of which region, year and industry, and to what end.

>>> from reesim.empirics.patents import run
>>> run(folder).lines()

Names are imported when they are first used; modules can be imported as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reesim.lazy import names

_HOME = {
    "AnswerCache": "cache",
    "Assignment": "assign",
    "ChatEndpoint": "endpoint",
    "Classification": "classify",
    "Classifier": "classify",
    "Columns": "pipeline",
    "KeywordFilter": "keywords",
    "LanguageModel": "llm",
    "Limits": "llm",
    "Pipeline": "pipeline",
    "Prices": "llm",
    "Reading": "keywords",
    "Report": "exercise",
    "TextBaseline": "classify",
    "deck_filter": "keywords",
    "judge": "agreement",
    "run": "exercise",
    "sample": "exercise",
}

__all__ = list(_HOME)

if TYPE_CHECKING:
    from reesim.empirics.patents.agreement import judge as judge
    from reesim.empirics.patents.assign import Assignment as Assignment
    from reesim.empirics.patents.cache import AnswerCache as AnswerCache
    from reesim.empirics.patents.classify import Classification as Classification
    from reesim.empirics.patents.classify import Classifier as Classifier
    from reesim.empirics.patents.classify import TextBaseline as TextBaseline
    from reesim.empirics.patents.endpoint import ChatEndpoint as ChatEndpoint
    from reesim.empirics.patents.exercise import Report as Report
    from reesim.empirics.patents.exercise import run as run
    from reesim.empirics.patents.exercise import sample as sample
    from reesim.empirics.patents.keywords import KeywordFilter as KeywordFilter
    from reesim.empirics.patents.keywords import Reading as Reading
    from reesim.empirics.patents.keywords import deck_filter as deck_filter
    from reesim.empirics.patents.llm import LanguageModel as LanguageModel
    from reesim.empirics.patents.llm import Limits as Limits
    from reesim.empirics.patents.llm import Prices as Prices
    from reesim.empirics.patents.pipeline import Columns as Columns
    from reesim.empirics.patents.pipeline import Pipeline as Pipeline

__getattr__, __dir__ = names(__name__, _HOME)
