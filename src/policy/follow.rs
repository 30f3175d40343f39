//! Following one tag by digest: the tag is given, only where it points changes.
//!
//! No tag is newer than another here, so there are no downgrades; what was taken out is held digest by digest.

use super::decision::{Change, Decision, Explanation, Keep, Outcome, Verdict};
use super::facts::{Known, Need, Wanted};
use super::reason::{Counts, Rejection};
use super::{Conditions, Question};
use crate::image::{Tag, TagRef};

/// Decides without a trace.
pub(super) fn decide(tag: &Tag, conditions: &Conditions, question: &Question<'_>) -> Decision {
    let counts = |rejection: Option<&Rejection<'_>>| {
        let mut counts = Counts::default();
        for other in question.tags.iter() {
            match rejection {
                _ if other.as_str() != tag.as_str() => counts.reject(Rejection::Followed(tag.as_str()).code()),
                Some(rejection) => counts.reject(rejection.code()),
                None => counts.add(),
            }
        }
        counts
    };
    match judge(tag, conditions, question) {
        _ if !question.tags.contains(tag.as_str()) => Decision::NoCandidate(counts(None)),
        Ok(None) => Decision::Move { to: tag.clone() },
        Ok(Some(keep)) => Decision::Keep(keep),
        Err(Rejection::Unlearned(what)) => Decision::Wanting(Need { tags: vec![tag.clone()], what }),
        Err(rejection) => Decision::NoCandidate(counts(Some(&rejection))),
    }
}

/// Says whether the site stays as it is, or why the tag may not be taken; nothing if it may.
fn judge<'a>(tag: &'a Tag, conditions: &'a Conditions, question: &Question<'a>) -> Result<Option<Keep>, Rejection<'a>> {
    let fact = question.facts.get(tag);
    let digest = Known::get(fact.and_then(|fact| fact.digest.as_ref()), Wanted::Digest)?;
    // A site that is a bare digest says no tag, and follows this one.
    if question.digest == Some(digest) && question.current.is_none_or(|current| current == tag) {
        return Ok(Some(Keep::UpToDate));
    }
    if let Some(hold) = question.hold
        && hold.tag == *tag
        && hold.digest.as_ref().is_none_or(|held| held == digest)
    {
        return Ok(Some(Keep::Held { best: tag.clone(), hold: hold.clone() }));
    }
    conditions.requirements.check(fact).map(|()| None)
}

/// Decides with a verdict for every tag, the followed one first.
pub(super) fn explain(tag: &Tag, conditions: &Conditions, question: &Question<'_>) -> Explanation {
    let decision = decide(tag, conditions, question);
    let mut change = None;
    let of_the_tag = match judge(tag, conditions, question) {
        Ok(Some(Keep::Held { hold, .. })) => Outcome::Rejected((&Rejection::Held { tag: tag.as_str(), hold: &hold }).into()),
        Ok(_) => Outcome::Chosen,
        Err(Rejection::Unlearned(_)) => Outcome::Eligible,
        Err(rejection) => {
            let reason = super::Reason::from(&rejection);
            change = reason.ends_in().map(|after| Change { tag: tag.clone(), after });
            Outcome::Rejected(reason)
        }
    };
    let (followed, others): (Vec<TagRef<'_>>, Vec<_>) = question.tags.iter().partition(|other| other.as_str() == tag.as_str());
    let other = |other: &TagRef<'_>| Verdict {
        tag: other.to_tag(),
        extracted: None,
        outcome: Outcome::Rejected((&Rejection::Followed(tag.as_str())).into()),
    };
    let followed = followed.iter().map(|tag| Verdict { tag: tag.to_tag(), extracted: None, outcome: of_the_tag.clone() });
    Explanation { decision, change, verdicts: followed.chain(others.iter().rev().map(other)).collect() }
}
