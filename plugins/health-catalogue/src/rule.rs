//! What a rule is once it was compiled: constants of this program, so that an instance loads nothing. `build/` makes them of the YAML
//! files and checks them; the language is described in the crate's documentation.

/// How objects of some kinds are judged: by the first state whose test holds. The last one always holds.
#[derive(Debug)]
pub struct Rule {
    /// The first of its kinds, as `group/Kind`: what the rule is called.
    pub name: &'static str,
    /// What its tests read of the object, in the order in which they need it; tests name them by their place in this list. The first is
    /// always the time of deletion.
    pub fields: &'static [&'static str],
    /// In the order in which they are asked.
    pub states: &'static [State],
}

/// One thing that an object may be.
#[derive(Debug)]
pub struct State {
    /// How many of the rule's fields have to be read for this. Several states in a row have the same number, so that a few crossings do.
    pub reads: u16,
    /// Whether it is that.
    pub when: Test,
    /// Then its status is this.
    pub then: Status,
    /// And this is what a person is told.
    pub why: &'static [Part],
}

/// A verdict without its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does its work.
    Healthy,
    /// It is paused.
    Suspended,
    /// It is on its way.
    Progressing,
    /// What it stands for is not there.
    Missing,
    /// It failed.
    Degraded,
    /// It cannot be told.
    Unknown,
    /// The rule leaves it to whoever is asked next.
    NoOpinion,
}

/// A question with the answer yes or no. A test on a field that is not there does not hold, except for `Not`.
#[derive(Debug)]
pub enum Test {
    /// It holds of every object.
    Always,
    /// All of these.
    All(&'static [Test]),
    /// One of these.
    Any(&'static [Test]),
    /// Not this.
    Not(&'static Test),
    /// There is something there, and it is not null.
    Set(Place),
    /// It is one of these.
    Is(Place, &'static [Literal]),
    /// Its text contains one of these.
    Has(Place, &'static [&'static str]),
    /// Its text begins with one of these.
    Starts(Place, &'static [&'static str]),
    /// Both are there and the same.
    Same(Place, Place),
    /// The first number is less than the second.
    Below(Number, Number),
    /// The numbers are equal.
    Equal(Number, Number),
    /// The test holds for an entry of the list or map; the first such entry is the culprit.
    Some(Place, &'static Test),
    /// The test holds for every entry of the list or map, of which there may be none.
    Every(Place, &'static Test),
}

/// Where something stands.
#[derive(Debug)]
pub enum Place {
    /// In the object: the place in the list of the rule's fields.
    Field(u16),
    /// In the entry that is looked at.
    Entry(&'static [Step]),
}

/// One step of the way into an entry.
#[derive(Debug)]
pub enum Step {
    /// To the value of a key, or to the entry with this number.
    Key(&'static str),
    /// To the first entry whose key has this text.
    Where(&'static str, &'static str),
}

/// A number.
#[derive(Debug)]
pub enum Number {
    /// This one.
    Literal(i64),
    /// What stands there, also as digits in a text.
    At(Place),
    /// What stands there, or else this: for counts, which Kubernetes leaves out if they are 0.
    Or(Place, i64),
    /// How many entries of the list or map the test holds for.
    Count(Place, &'static Test),
    /// What the entries of the list or map have there, together.
    Sum(Place, &'static [Step]),
}

/// A value to compare with.
#[derive(Debug)]
pub enum Literal {
    /// True or false.
    Flag(bool),
    /// A number.
    Integer(i64),
    /// A text.
    Text(&'static str),
    /// A text with fields of the object in it.
    Written(&'static [Piece]),
}

/// A part of a text to compare with.
#[derive(Debug)]
pub enum Piece {
    /// As it is.
    Text(&'static str),
    /// What stands there.
    Field(Place),
}

/// A part of what a person is told.
#[derive(Debug)]
pub enum Part {
    /// As it is.
    Text(&'static str),
    /// What stands at the first of these pointers that has something.
    Object(&'static [&'static str]),
    /// The same of the culprit, the entry for which the test held.
    Culprit(&'static [&'static [Step]]),
}
