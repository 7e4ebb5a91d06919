"""The HTML views and the policy they are served under.

Views gather what a template shows and translate addresses to nouns; they write nothing, and they find projects only
through `logviewer.resources.access`, so that what one may not see is not there.
"""
