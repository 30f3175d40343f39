//! Deciding: one pass over all tags, the same with and without a trace.
//!
//! Owns what holds under every order: filters, the choice of the best, no downgrades, holds, and that ties are decided by
//! rule and never by the order in which a registry lists. Asks for facts only where they decide: of the few best tags that the
//! site would move to, and of those that an order cannot compare without. Knows no order itself; that is a [`Scale`].

use std::borrow::Cow;
use std::cmp::Ordering;

use super::decision::{Change, Decision, Explanation, Hold, Keep, Outcome, Verdict};
use super::facts::{Need, Wanted};
use super::reason::{Counts, Reason, Rejection};
use super::scale::Scale;
use super::{Conditions, Question};
use crate::image::{Tag, TagList, TagRef};

/// Where a pass leaves what it found out about each tag.
trait Collector<'a> {
    /// Whether every tag is looked at, even when the decision is clear beforehand.
    const COMPLETE: bool;

    fn eligible(&mut self, tag: TagRef<'a>);
    fn rejected(&mut self, tag: TagRef<'a>, why: &Rejection<'a>);
    fn counts(&self) -> Counts;
}

impl<'a> Collector<'a> for Counts {
    const COMPLETE: bool = false;

    fn eligible(&mut self, _tag: TagRef<'a>) {
        self.add();
    }

    fn rejected(&mut self, _tag: TagRef<'a>, why: &Rejection<'a>) {
        self.reject(why.code());
    }

    fn counts(&self) -> Counts {
        self.clone()
    }
}

#[derive(Default)]
struct Trace<'a> {
    counts: Counts,
    /// In the order of the list; `None` for tags that may be taken.
    outcomes: Vec<(TagRef<'a>, Option<Reason>)>,
}

impl<'a> Collector<'a> for Trace<'a> {
    const COMPLETE: bool = true;

    fn eligible(&mut self, tag: TagRef<'a>) {
        self.counts.add();
        self.outcomes.push((tag, None));
    }

    fn rejected(&mut self, tag: TagRef<'a>, why: &Rejection<'a>) {
        self.counts.reject(why.code());
        self.outcomes.push((tag, Some(why.into())));
    }

    fn counts(&self) -> Counts {
        self.counts.clone()
    }
}

/// What is compared in place of the tags: the tags themselves, or what `extract` makes of them.
struct Texts<'a> {
    conditions: &'a Conditions,
    tags: &'a TagList,
    extracted: Option<&'a Extracted<'a>>,
}

/// What `extract` makes of each tag of the list, of the current tag and of the held one; `None` where the filter does not match.
struct Extracted<'a> {
    tags: Vec<Option<Cow<'a, str>>>,
    current: Option<Cow<'a, str>>,
    held: Option<Cow<'a, str>>,
}

impl<'a> Extracted<'a> {
    fn of(conditions: &Conditions, question: &Question<'a>) -> Option<Self> {
        let mut extractor = conditions.extractor()?;
        let mut extract = |tag: &'a str| extractor.extract(tag);
        Some(Self {
            tags: question.tags.iter().map(|tag| extract(tag.as_str())).collect(),
            current: question.current.and_then(|tag| extract(tag.as_str())),
            held: question.hold.and_then(|hold| extract(hold.tag.as_str())),
        })
    }
}

impl<'a> Texts<'a> {
    /// Visits every tag with the text to compare, or why it is rejected before it is read.
    fn iter(&self) -> impl Iterator<Item = (TagRef<'a>, Result<&'a str, Rejection<'a>>)> + use<'a> {
        let (conditions, extracted) = (self.conditions, self.extracted);
        self.tags.iter().enumerate().map(move |(index, tag)| {
            let text = conditions.screen(tag.as_str()).and_then(|()| match extracted {
                None => Ok(tag.as_str()),
                Some(extracted) => extracted.tags.get(index).and_then(Option::as_deref).ok_or(Rejection::Filter),
            });
            (tag, text)
        })
    }

    fn of_current(&self, tag: &'a Tag) -> Option<&'a str> {
        self.extracted.map_or(Some(tag.as_str()), |extracted| extracted.current.as_deref())
    }

    fn of_held(&self, hold: &'a Hold) -> Option<&'a str> {
        self.extracted.map_or(Some(hold.tag.as_str()), |extracted| extracted.held.as_deref())
    }
}

/// Decides without a trace.
pub(super) fn decide<S: Scale>(scale: &S, conditions: &Conditions, question: &Question<'_>) -> Decision {
    let extracted = Extracted::of(conditions, question);
    let texts = Texts { conditions, tags: question.tags, extracted: extracted.as_ref() };
    Pass::new(scale, &texts, question).run(&mut Counts::default()).0
}

/// Decides with a verdict for every tag.
pub(super) fn explain<S: Scale>(scale: &S, conditions: &Conditions, question: &Question<'_>) -> Explanation {
    let extracted = Extracted::of(conditions, question);
    let texts = Texts { conditions, tags: question.tags, extracted: extracted.as_ref() };
    let pass = Pass::new(scale, &texts, question);
    let mut trace = Trace::default();
    let (decision, best) = pass.run(&mut trace);
    let change = pass.change(&trace, best.as_ref());
    Explanation { decision, change, verdicts: pass.verdicts(trace, best.map(|(tag, _)| tag)) }
}

/// A tag that may be taken, with what it is compared by.
type Candidate<'a, S> = (TagRef<'a>, <S as Scale>::Key<'a>);

/// Of how many tags facts are asked for at once: of the best, and of the next, should the best not do.
const FEW: usize = 2;

/// One question under one order.
struct Pass<'a, S: Scale> {
    scale: &'a S,
    texts: &'a Texts<'a>,
    question: Question<'a>,
    /// The current tag's key; `None` if there is no current tag, or it cannot be read.
    current: Option<S::Key<'a>>,
    /// The fact without which the current tag cannot be read.
    wanted: Option<Wanted>,
    site: S::Site<'a>,
}

impl<'a, S: Scale> Pass<'a, S> {
    fn new(scale: &'a S, texts: &'a Texts<'a>, question: &Question<'a>) -> Self {
        let read = question.current.and_then(|tag| texts.of_current(tag)).map(|text| scale.read(text));
        let (current, wanted) = match read {
            Some(Ok(key)) => (Some(key), None),
            Some(Err(Rejection::Unlearned(what))) => (None, Some(what)),
            Some(Err(_)) | None => (None, None),
        };
        let site = scale.site(current, || texts.iter().filter_map(|(_, text)| text.ok()));
        Self { scale, texts, question: *question, current, wanted, site }
    }

    fn run<C: Collector<'a>>(&self, collector: &mut C) -> (Decision, Option<Candidate<'a, S>>) {
        let refusal = self.refusal();
        if let Some(keep) = &refusal
            && !C::COMPLETE
        {
            return (Decision::Keep(keep.clone()), None);
        }
        let mut best: Option<Candidate<'a, S>> = None;
        let mut open = Open { wanted: self.wanted, unread: Vec::new(), best: Vec::new() };
        for (tag, text) in self.texts.iter() {
            let key = text.and_then(|text| self.scale.read(text)).and_then(|key| self.scale.admit(&key, &self.site).map(|()| key));
            match key.and_then(|key| self.require(tag).map(|asks| ((tag, key), asks))) {
                Ok((candidate, None)) => {
                    collector.eligible(tag);
                    if best.as_ref().is_none_or(|best| self.prefer(&candidate, best).is_gt()) {
                        best = Some(candidate);
                    }
                }
                Ok((candidate, Some(what))) => {
                    collector.eligible(tag);
                    let place = open.best.partition_point(|(other, _)| self.prefer(other, &candidate).is_gt());
                    open.best.insert(place, (candidate, what));
                    open.best.truncate(FEW);
                }
                Err(why) => {
                    if let Rejection::Unlearned(what) = why {
                        open.wanted = Some(what);
                        open.unread.push(tag);
                    }
                    collector.rejected(tag, &why);
                }
            }
        }
        match refusal {
            Some(keep) => (Decision::Keep(keep), None),
            None => self.settle(best, &open, collector),
        }
    }

    /// Says whether a tag may be taken by what is known of it, or which fact has to be learned first. Of the tag that the site
    /// has nothing is asked: staying is no taking.
    fn require(&self, tag: TagRef<'a>) -> Result<Option<Wanted>, Rejection<'a>> {
        let requirements = &self.texts.conditions.requirements;
        if requirements.is_empty() || self.is_current(tag) {
            return Ok(None);
        }
        match requirements.check(self.question.facts.get(tag.as_str())) {
            Ok(()) => Ok(None),
            Err(Rejection::Unlearned(what)) => Ok(Some(what)),
            Err(why) => Err(why),
        }
    }

    /// Turns what a pass found into a decision, or into what must be learned for one.
    fn settle(
        &self,
        best: Option<Candidate<'a, S>>,
        open: &Open<'a, S>,
        collector: &impl Collector<'a>,
    ) -> (Decision, Option<Candidate<'a, S>>) {
        if let Some(what) = self.unread(open) {
            return (Decision::Wanting(what), None);
        }
        let better = |candidate: &Candidate<'a, S>| best.as_ref().is_none_or(|best| self.prefer(candidate, best).is_gt());
        let mut open = open.best.iter().filter(|(candidate, _)| better(candidate));
        let Some((first, what)) = open.next() else {
            return match best {
                Some(best) => (self.conclude(&best), Some(best)),
                None => (Decision::NoCandidate(collector.counts()), None),
            };
        };
        // Only a move has to be known to be allowed: a site that stays anyway is worth no request.
        match self.conclude(first) {
            Decision::Move { .. } => {}
            keep => return (keep, Some(*first)),
        }
        let also = open.filter(|(candidate, also)| also == what && matches!(self.conclude(candidate), Decision::Move { .. }));
        let tags = std::iter::once(first).chain(also.map(|(candidate, _)| candidate)).map(|(tag, _)| tag.to_tag()).collect();
        (Decision::Wanting(Need { tags, what: *what }), None)
    }

    /// What the order must learn to compare at all: of the site's tag, of the held one and of all that may be taken.
    fn unread(&self, open: &Open<'a, S>) -> Option<Need> {
        let held = self.question.hold.map(|hold| (&hold.tag, self.texts.of_held(hold).map(|text| self.scale.read(text))));
        let held = held.and_then(|(tag, read)| match read {
            Some(Err(Rejection::Unlearned(what))) => Some((tag, what)),
            _ => None,
        });
        let what = open.wanted.or(held.map(|(_, what)| what))?;
        let current = self.question.current.filter(|_| self.wanted.is_some());
        let mut tags: Vec<Tag> = current.into_iter().chain(held.map(|(tag, _)| tag)).cloned().collect();
        let known = tags.len();
        for tag in open.unread.iter().rev() {
            if !tags[..known].iter().any(|known| known.as_str() == tag.as_str()) {
                tags.push(tag.to_tag());
            }
        }
        tags.dedup();
        Some(Need { tags, what })
    }

    /// Why nothing can be decided for the site, whatever the tags are.
    fn refusal(&self) -> Option<Keep> {
        let refusal = self.scale.refuses(&self.site);
        let unread = self.question.current.is_some() && self.current.is_none() && self.wanted.is_none();
        // With `downgrade` it does not matter whether the best tag is newer than the current one, if the order can do without it.
        let starts_anew = self.texts.conditions.downgrade && refusal.is_none();
        if unread && !starts_anew { Some(Keep::Unordered) } else { refusal }
    }

    /// Compares two candidates without ties: by the order, then for the tag that is there, then for its spelling, then by bytes.
    fn prefer(&self, a: &Candidate<'a, S>, b: &Candidate<'a, S>) -> Ordering {
        self.scale
            .compare(&a.1, &b.1, &self.site)
            .then_with(|| self.is_current(a.0).cmp(&self.is_current(b.0)))
            .then_with(|| self.scale.compare_spelling(&a.1, &b.1, &self.site))
            .then_with(|| a.0.cmp(&b.0))
    }

    fn is_current(&self, tag: TagRef<'_>) -> bool {
        self.question.current.is_some_and(|current| current.as_str() == tag.as_str())
    }

    /// Turns the best candidate into a decision: no downgrade, and nothing that is held.
    fn conclude(&self, (tag, key): &Candidate<'a, S>) -> Decision {
        let best = || tag.to_tag();
        if self.is_current(*tag) {
            return Decision::Keep(Keep::UpToDate);
        }
        let order = self.current.map_or(Ordering::Greater, |current| self.scale.compare_age(key, &current, &self.site));
        match order {
            Ordering::Equal => return Decision::Keep(Keep::UpToDate),
            Ordering::Less if !self.texts.conditions.downgrade => return Decision::Keep(Keep::Ahead { best: best() }),
            Ordering::Less | Ordering::Greater => {}
        }
        match self.question.hold {
            Some(hold) if self.is_held(hold, *tag, key, order) => Decision::Keep(Keep::Held { best: best(), hold: hold.clone() }),
            _ => Decision::Move { to: best() },
        }
    }

    /// A held tag does not come back, and nothing older takes its place as an upgrade. What lowers the site on purpose may go on.
    fn is_held(&self, hold: &'a Hold, tag: TagRef<'a>, key: &S::Key<'a>, order: Ordering) -> bool {
        if hold.tag.as_str() == tag.as_str() {
            return true;
        }
        let held = self.texts.of_held(hold).and_then(|text| self.scale.read(text).ok());
        order.is_gt() && held.is_some_and(|held| self.scale.compare_age(key, &held, &self.site).is_le())
    }

    /// Finds the tag that is chosen next by getting older, and in how long.
    fn change(&self, trace: &Trace<'a>, best: Option<&Candidate<'a, S>>) -> Option<Change> {
        if self.refusal().is_some() {
            return None;
        }
        let next = trace.outcomes.iter().zip(self.texts.iter()).filter_map(|((tag, reason), (_, text))| {
            let after = reason.as_ref()?.ends_in()?;
            let candidate = (*tag, self.scale.read(text.ok()?).ok()?);
            let is_next =
                best.is_none_or(|best| self.prefer(&candidate, best).is_gt()) && matches!(self.conclude(&candidate), Decision::Move { .. });
            is_next.then_some((after, candidate))
        });
        let next = next.min_by(|(x, a), (y, b)| x.cmp(y).then_with(|| self.prefer(b, a)));
        next.map(|(after, (tag, _))| Change { tag: tag.to_tag(), after })
    }

    /// Sorts the traced tags newest first, and says of those that are older than the current tag that they are.
    fn verdicts(&self, trace: Trace<'a>, best: Option<TagRef<'a>>) -> Vec<Verdict> {
        let mut rows: Vec<_> = (trace.outcomes.into_iter().zip(self.texts.iter()).enumerate())
            .map(|(index, ((tag, reason), (_, text)))| {
                let key = text.and_then(|text| self.scale.read(text)).ok();
                (tag, key, self.outcome(tag, key.as_ref(), reason, best), index)
            })
            .collect();
        rows.sort_by(|(a, x, ..), (b, y, ..)| match (x, y) {
            (Some(x), Some(y)) => self.prefer(&(*b, *y), &(*a, *x)),
            (None, None) => b.cmp(a),
            _ => y.is_some().cmp(&x.is_some()),
        });
        let extracted =
            |index: usize| self.texts.extracted.and_then(|e| e.tags.get(index)).and_then(|text| text.as_deref().map(str::to_owned));
        rows.into_iter().map(|(tag, _, outcome, index)| Verdict { tag: tag.to_tag(), extracted: extracted(index), outcome }).collect()
    }

    fn outcome(&self, tag: TagRef<'a>, key: Option<&S::Key<'a>>, reason: Option<Reason>, best: Option<TagRef<'a>>) -> Outcome {
        if let Some(reason) = reason {
            return Outcome::Rejected(reason);
        }
        let order = |key: &S::Key<'a>| self.current.map(|current| self.scale.compare_age(key, &current, &self.site));
        let order = key.and_then(order).unwrap_or(Ordering::Greater);
        match (self.question.current, self.question.hold) {
            (Some(current), _) if !self.texts.conditions.downgrade && order.is_lt() => {
                Outcome::Rejected((&Rejection::Older { than: current.as_str() }).into())
            }
            (_, Some(hold)) if !self.is_current(tag) && order.is_ne() && key.is_some_and(|key| self.is_held(hold, tag, key, order)) => {
                Outcome::Rejected((&Rejection::Held { tag: tag.as_str(), hold }).into())
            }
            _ if best == Some(tag) => Outcome::Chosen,
            _ => Outcome::Eligible,
        }
    }
}

/// What a pass could not look at, for want of facts.
struct Open<'a, S: Scale> {
    /// The fact that the order itself wants.
    wanted: Option<Wanted>,
    /// The tags that it cannot read without.
    unread: Vec<TagRef<'a>>,
    /// The best of the tags that satisfy everything but a fact, the best first, each with that fact.
    best: Vec<(Candidate<'a, S>, Wanted)>,
}
