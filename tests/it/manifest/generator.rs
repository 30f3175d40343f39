//! Texts that carry known references through random presentations, each with what an edit must make of it.
//!
//! Both texts come from one template, in which a mark stands for each value that changes; what an edit is to write there is
//! decided where the mark is made, from the style that was drawn for it. A draw of 0 is always the simplest, so that
//! failures shrink to simple texts.

use tagboat::manifest::{Locked, Shape};

pub(super) const API: &str = "ghcr.io/acme/api";
pub(super) const CHART: &str = "ghcr.io/acme/charts/api";
/// The version that charts move to; it never needs quotes.
pub(super) const NEW_VERSION: &str = "2.0.0-rc.1";

/// Tags as they are, each with whether YAML would read it as no string.
const OLD: [&str; 5] = ["v1.4.1", "1.4.1-rc.2", "1.4", "20240101", "latest"];
/// Tags to move to.
const NEW: [(&str, bool); 9] = [
    ("1.5.0", false),
    ("1.10", true),
    ("v2", false),
    ("20240131", true),
    ("on", true),
    ("1e3", true),
    ("2024-01-31", true),
    ("rc.1_x", false),
    ("0x1F", true),
];

/// A text, what it must become, and where its sites stand in both.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) old: String,
    pub(super) new: String,
    pub(super) tag: &'static str,
    pub(super) before: Vec<Expected>,
    pub(super) after: Vec<Expected>,
}

/// What must be found, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Expected {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) shape: String,
    pub(super) repository: String,
    pub(super) tag: Option<String>,
    pub(super) digest: Option<String>,
    pub(super) locked: Option<String>,
}

/// Digests of one digit.
pub(super) fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

/// What is drawn; 0 for ever when all is used up.
struct Draws<'d>(std::slice::Iter<'d, u16>);

impl Draws<'_> {
    fn pick(&mut self, of: usize) -> usize {
        self.0.next().map_or(0, |&drawn| usize::from(drawn) * of / (usize::from(u16::MAX) + 1))
    }

    /// Says yes once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.pick(times) == times - 1
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.pick(of.len())]
    }
}

/// A value that has no presentation yet.
enum Node {
    /// A text in any style.
    Text(String),
    /// A tag that is all of its scalar.
    Tag {
        old: &'static str,
        new: String,
        retyped: bool,
        sites: String,
    },
    /// As it is, in block style.
    Raw(&'static str),
    Alias(String),
    /// A site whose tag has an escape, if it can.
    Escaped(char),
    Anchored(String, Box<Node>),
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    /// YAML in a scalar.
    Yaml(Vec<(String, Node)>),
}

struct Site {
    shape: Shape,
    repository: &'static str,
    tag: Option<(String, String)>,
    digest: bool,
    locked: Option<Locked>,
}

/// The first of the characters that stand for changing values in a template, and for the places of sites.
const SLOTS: u32 = 0xf_0000;
const SITES: u32 = 0x10_0000;

fn is_mark(character: char) -> bool {
    u32::from(character) >= SLOTS
}

struct Writer<'d> {
    draws: Draws<'d>,
    slots: Vec<[String; 2]>,
    sites: Vec<Site>,
    names: usize,
    new: (&'static str, bool),
    /// The quotes that the text at hand uses, and nothing else.
    quotes: char,
    json: bool,
}

/// Makes a case of what was drawn.
pub(super) fn case(draws: &[u16]) -> Case {
    let mut draws = Draws(draws.iter());
    let new = draws.one(&NEW);
    let json = draws.once_in(12);
    let mut writer = Writer { draws, slots: Vec::new(), sites: Vec::new(), names: 0, new, quotes: '"', json };
    let template = if json { writer.json_text() } else { writer.text() };
    writer.finish(&template)
}

impl Writer<'_> {
    fn slot(&mut self, old: impl Into<String>, new: impl Into<String>) -> char {
        self.slots.push([old.into(), new.into()]);
        char::from_u32(SLOTS + u32::try_from(self.slots.len() - 1).unwrap()).unwrap()
    }

    fn site(&mut self, shape: Shape, repository: &'static str, tag: Option<(&str, &str)>, digest: bool) -> char {
        let tag = tag.map(|(old, new)| (old.to_owned(), new.to_owned()));
        self.sites.push(Site { shape, repository, tag, digest, locked: None });
        char::from_u32(SITES + u32::try_from(self.sites.len() - 1).unwrap()).unwrap()
    }

    fn name(&mut self, start: &str) -> String {
        self.names += 1;
        format!("{start}{}", self.names)
    }

    // What a text holds.

    fn entries(&mut self, depth: usize) -> Vec<(String, Node)> {
        let mut entries = Vec::new();
        for _ in 0..=self.draws.pick(4) {
            let kinds = if self.json { 8 } else { 14 };
            let name = self.name("key");
            let node = match self.draws.pick(kinds) {
                0 | 1 => self.reference(),
                2 => self.argument(),
                3 => Node::List((0..=self.draws.pick(2)).map(|_| self.reference()).collect()),
                4 => self.split(),
                5 => self.kustomize(),
                6 => self.parameters(),
                7 => self.chart(),
                8 if depth < 2 => Node::Yaml(self.entries(depth + 1)),
                9 => self.noise(),
                10 => {
                    let anchor = self.name("anchor");
                    entries.push((self.name("key"), Node::Anchored(anchor.clone(), Box::new(self.reference()))));
                    Node::Alias(anchor)
                }
                11 => self.shared(),
                12 => self.merged(),
                13 => self.escaped_tag(),
                _ => self.noise(),
            };
            entries.push((name, node));
        }
        entries
    }

    fn reference(&mut self) -> Node {
        let reference = self.reference_as(Shape::Scalar);
        Node::Text(reference)
    }

    fn reference_as(&mut self, shape: Shape) -> String {
        let old = self.draws.one(&OLD);
        let new = self.new.0;
        let pinned = self.draws.once_in(5);
        let site = self.site(shape, API, Some((old, new)), pinned);
        let tag = self.slot(old, new);
        let digest = if pinned { format!("@{}", self.slot(digest('a'), digest('b'))) } else { String::new() };
        format!("{site}{API}:{tag}{digest}")
    }

    fn argument(&mut self) -> Node {
        let reference = self.reference_as(Shape::Argument);
        let form = self.draws.pick(6);
        Node::Text(match form {
            0 => format!("--image={reference}"),
            1 => format!("old={reference}"),
            2 => format!("run --sidecar-image={reference} --verbose now"),
            3 => format!("it's={reference} --more"),
            4 => format!("A=\"x\" B={reference},z end of it"),
            _ => format!("A={reference};B={}", self.reference_as(Shape::Argument)),
        })
    }

    /// A tag that is the whole of its scalar.
    fn tag(&mut self, shape: Shape, digest: bool) -> Node {
        let old = self.draws.one(&OLD);
        let (new, retyped) = self.new;
        let sites = self.site(shape, API, Some((old, new)), digest).to_string();
        Node::Tag { old, new: new.to_owned(), retyped, sites }
    }

    fn digest_entry(&mut self, entries: &mut Vec<(String, Node)>) -> bool {
        let has = self.draws.once_in(4);
        if has {
            let slot = self.slot(digest('a'), digest('b'));
            entries.push(("digest".to_owned(), Node::Text(slot.to_string())));
        }
        has
    }

    fn split(&mut self) -> Node {
        let (mut entries, key) = match self.draws.pick(5) {
            0 => (vec![("repository", API)], "tag"),
            1 => (vec![("registry", "ghcr.io"), ("repository", "acme/api")], "tag"),
            2 => (vec![("name", API), ("pullPolicy", "Always")], "tag"),
            3 => (vec![("image", API)], "tag"),
            _ => (vec![("image_name", API)], "image_tag"),
        };
        let mut all: Vec<(String, Node)> = entries.drain(..).map(|(name, value)| (name.to_owned(), Node::Text(value.to_owned()))).collect();
        let digest = key == "tag" && self.digest_entry(&mut all);
        all.push((key.to_owned(), self.tag(Shape::Split, digest)));
        self.shuffle(&mut all);
        Node::Map(all)
    }

    fn kustomize(&mut self) -> Node {
        let mut items = Vec::new();
        for _ in 0..=self.draws.pick(2) {
            let mut entries = vec![("name".to_owned(), Node::Text(API.to_owned()))];
            if self.draws.once_in(3) {
                entries = vec![("name".to_owned(), Node::Text("api".to_owned())), ("newName".to_owned(), Node::Text(API.to_owned()))];
            }
            let digest = self.digest_entry(&mut entries);
            entries.push(("newTag".to_owned(), self.tag(Shape::Kustomize, digest)));
            self.shuffle(&mut entries);
            items.push(Node::Map(entries));
        }
        Node::Map(vec![("images".to_owned(), Node::List(items))])
    }

    fn parameters(&mut self) -> Node {
        let text = |text: &str| Node::Text(text.to_owned());
        let pair = |name: Node, value: Node| Node::Map(vec![("name".to_owned(), name), ("value".to_owned(), value)]);
        let tag = self.tag(Shape::Parameters, false);
        let mut items =
            vec![pair(text("image.repository"), text(API)), pair(text("image.tag"), tag), pair(text("replicas"), text("three"))];
        if self.draws.once_in(2) {
            items.reverse();
        }
        Node::Map(vec![("parameters".to_owned(), Node::List(items))])
    }

    fn chart(&mut self) -> Node {
        let form = self.draws.pick(3);
        let shape = if form == 1 { Shape::Artifact } else { Shape::Chart };
        let sites = self.site(shape, CHART, Some(("1.4.1", NEW_VERSION)), false).to_string();
        let version = Node::Tag { old: "1.4.1", new: NEW_VERSION.to_owned(), retyped: false, sites };
        let text = |text: &str| Node::Text(text.to_owned());
        let entry = |name: &str, node| (name.to_owned(), node);
        match form {
            0 => {
                let mut entries =
                    vec![entry("repoURL", text("ghcr.io/acme/charts")), entry("chart", text("api")), entry("targetRevision", version)];
                self.shuffle(&mut entries);
                Node::Map(entries)
            }
            1 => Node::Map(vec![entry("url", text("oci://ghcr.io/acme/charts/api")), entry("ref", Node::Map(vec![entry("tag", version)]))]),
            _ => {
                let item =
                    vec![entry("name", text("api")), entry("version", version), entry("repository", text("oci://ghcr.io/acme/charts"))];
                Node::Map(vec![entry("dependencies", Node::List(vec![Node::Map(item)]))])
            }
        }
    }

    /// Two sites that share a tag.
    fn shared(&mut self) -> Node {
        let anchor = self.name("anchor");
        let mut tag = self.tag(Shape::Split, false);
        if let Node::Tag { old, new, sites, .. } = &mut tag {
            sites.push(self.site(Shape::Split, API, Some((old, new)), false));
        }
        let split = |tag| Node::Map(vec![("repository".to_owned(), Node::Text(API.to_owned())), ("tag".to_owned(), tag)]);
        let (first, second) = (split(Node::Anchored(anchor.clone(), Box::new(tag))), split(Node::Alias(anchor)));
        Node::Map(vec![("first".to_owned(), first), ("second".to_owned(), second)])
    }

    /// One site that others merge in.
    fn merged(&mut self) -> Node {
        let anchor = self.name("anchor");
        let tag = self.tag(Shape::Split, false);
        let base = Node::Map(vec![("repository".to_owned(), Node::Text(API.to_owned())), ("tag".to_owned(), tag)]);
        let user = Node::Map(vec![("<<".to_owned(), Node::Alias(anchor.clone())), ("other".to_owned(), Node::Text("x".to_owned()))]);
        Node::Map(vec![("base".to_owned(), Node::Anchored(anchor, Box::new(base))), ("user".to_owned(), user)])
    }

    /// A site whose tag is written with an escape, where the text has double quotes.
    fn escaped_tag(&mut self) -> Node {
        Node::Escaped(self.site(Shape::Scalar, API, Some(("v1.4.1", self.new.0)), false))
    }

    fn noise(&mut self) -> Node {
        Node::Raw(self.draws.one(&[
            " plain # ghcr.io/acme/api:1.4.1",
            " ghcr.io/acme/web:1.4.1",
            " plain text\n over two lines",
            " |\n # ghcr.io/acme/api:1.4.1\n\n   deeper",
            " >+\n folded\n text\n\n",
            " {g: [ a,b ,c ], h : ~}   ",
            "\n\n# ghcr.io/acme/api:1.4.1",
            "\n ? [j, k]\n : yes\n ? l\n",
            "\n image: {repository: ghcr.io/acme/api, digest: ~}",
            "\n ghcr.io/acme/api:1.4.1: key",
            " !!binary aGVsbG8=",
            " 2024-01-31T00:00:00Z",
            " 0o17",
            "\n n: {o: 012, p: 1.10}\n n: doubled",
        ]))
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            // A draw of 0 leaves the order.
            items.swap(index, index - self.draws.pick(index + 1));
        }
    }

    // How it is presented.

    fn text(&mut self) -> String {
        let mut text = String::new();
        if self.draws.once_in(8) {
            text += "%YAML 1.2\n---\n";
        }
        for number in 0..=self.draws.pick(3) {
            if number > 0 {
                text += self.draws.one(&["---\n", "...\n---\n", "# between\n--- # c\n", "...\n%YAML 1.2\n---\n", "---\n---\n"]);
            }
            text += &self.layer(0, number == 0);
        }
        if self.draws.once_in(3) {
            text.pop();
        }
        if self.draws.once_in(8) {
            text.insert(0, '\u{feff}');
        }
        match self.draws.pick(4) {
            0 | 1 => text,
            2 => text.replace('\n', "\r\n"),
            _ => {
                let ends: Vec<&str> = (0..7).map(|_| self.draws.one(&["\n", "\r\n"])).collect();
                let lines = text.split('\n').enumerate();
                lines.fold(String::new(), |done, (index, line)| {
                    let end = if index == 0 { "" } else { ends[index % ends.len()] };
                    format!("{done}{end}{line}")
                })
            }
        }
    }

    /// A document, or a text in a scalar.
    fn layer(&mut self, depth: usize, first: bool) -> String {
        let outer = self.quotes;
        if first {
            self.quotes = self.draws.one(&['"', '\'']);
        }
        // A name that is written with escapes is found only if the byte search finds some other.
        let quote = self.quotes;
        let start = format!("# ghcr.io/acme/api\nhabit: {quote}x{quote}\nnames: api {API} {CHART}\n");
        let entries = self.entries(depth);
        let lines = self.map(&entries, 0, false);
        if depth > 0 {
            self.quotes = outer;
        }
        start + &lines
    }

    fn map(&mut self, entries: &[(String, Node)], indent: usize, mut inline: bool) -> String {
        let margin = " ".repeat(indent);
        let mut text = String::new();
        for (name, node) in entries {
            if !inline {
                text += match self.draws.pick(10) {
                    8 => "# between \"the' lines\n",
                    9 => "\n",
                    _ => "",
                };
                text += &margin;
            }
            inline = false;
            let key = self.key(name);
            let explicit = self.draws.once_in(8);
            text += &if explicit { format!("? {key}\n{margin}:") } else { format!("{key}:") };
            text += &self.value(node, indent);
        }
        text
    }

    fn key(&mut self, name: &str) -> String {
        match self.draws.pick(8) {
            // A quoted `<<` merges nothing.
            7 if name != "<<" => format!("{0}{name}{0}", self.quotes),
            _ => name.to_owned(),
        }
    }

    /// Writes a value behind its `:` or `-`, up to the end of its last line.
    fn value(&mut self, node: &Node, parent: usize) -> String {
        match node {
            Node::Raw(raw) => format!("{}\n", raw.replace('\n', &format!("\n{}", " ".repeat(parent + 1)))),
            Node::Alias(name) => format!(" *{name}{}\n", self.comment()),
            Node::Escaped(site) => {
                let escaped = self.escaped(*site);
                format!(" {escaped}{}\n", self.comment())
            }
            Node::Anchored(name, node) => format!(" &{name}{}", self.value(node, parent)),
            Node::Yaml(entries) => self.yaml(entries, parent),
            Node::Map(_) | Node::List(_) if self.draws.once_in(3) && is_flow(node) => {
                let flow = self.flow(node, parent + 1);
                format!(" {flow}{}\n", self.comment())
            }
            Node::Map(entries) => {
                let indent = parent + 1 + self.draws.pick(4);
                format!("{}\n{}", self.comment(), self.map(entries, indent, false))
            }
            Node::List(items) => {
                let indent = parent + self.draws.pick(4);
                format!("{}\n{}", self.comment(), self.list(items, indent))
            }
            Node::Text(text) => self.block_scalar(text, parent).unwrap_or_else(|| {
                let scalar = self.scalar(text, Some(parent + 1));
                format!(" {scalar}{}\n", self.comment())
            }),
            Node::Tag { .. } => {
                let scalar = self.lone_tag(node);
                format!(" {scalar}{}\n", self.comment())
            }
        }
    }

    fn list(&mut self, items: &[Node], indent: usize) -> String {
        let mut text = String::new();
        for item in items {
            text += &" ".repeat(indent);
            text.push('-');
            match item {
                Node::Map(entries) if !self.draws.once_in(3) => {
                    let spaces = 1 + self.draws.pick(3);
                    text += &" ".repeat(spaces);
                    text += &self.map(entries, indent + 1 + spaces, true);
                }
                _ => text += &self.value(item, indent),
            }
        }
        text
    }

    fn comment(&mut self) -> &'static str {
        self.draws.one(&["", "", "   ", " # ghcr.io/acme/api:1.4.1 'ü\"", "\t# tab"])
    }

    fn lone_tag(&mut self, node: &Node) -> String {
        let Node::Tag { old, new, retyped, sites } = node else { return String::new() };
        let style = if self.json { 1 } else { self.draws.pick(3) };
        let quote = self.quotes;
        let tag = if style == 2 { "!!str " } else { "" };
        // Plain as it is, it gets quotes only where it changes.
        let [before, after] = match style {
            1 => [format!("{quote}{sites}{old}{quote}"), format!("{quote}{sites}{new}{quote}")],
            _ if *retyped && old != new => [format!("{sites}{old}"), format!("{quote}{sites}{new}{quote}")],
            _ => [format!("{sites}{old}"), format!("{sites}{new}")],
        };
        format!("{tag}{}", self.slot(before, after))
    }

    fn escaped(&mut self, site: char) -> String {
        if self.quotes == '\'' {
            let tag = self.slot("v1.4.1", self.new.0);
            return format!("{site}{API}:{tag}");
        }
        let index = (u32::from(site) - SITES) as usize;
        self.sites[index].tag = Some(("v1.4.1".to_owned(), "v1.4.1".to_owned()));
        self.sites[index].locked = Some(Locked::NotVerbatim);
        format!("\"{site}{API}:v1\\x2e4.1\"")
    }

    /// Writes a text as a block scalar, if that is drawn.
    fn block_scalar(&mut self, text: &str, parent: usize) -> Option<String> {
        let has_site = text.chars().any(|character| u32::from(character) >= SITES);
        if !has_site || !self.draws.once_in(6) {
            return None;
        }
        let tag = self.draws.one(&["", "", "!!str "]);
        let indicator = self.draws.one(&["|", ">"]);
        let chomp = self.draws.one(&["-", "", "+"]);
        let more = 1 + self.draws.pick(4);
        let explicit = if self.draws.once_in(3) { more.to_string() } else { String::new() };
        let margin = " ".repeat(parent + more);
        let comment = self.draws.one(&["", " # c"]);
        let mut content = String::new();
        for (index, word) in text.split(' ').enumerate() {
            let between = if index > 0 && self.draws.once_in(2) { format!("\n{margin}") } else { " ".to_owned() };
            content += if index > 0 { &between } else { "" };
            content += word;
        }
        let end = if chomp == "+" { "\n\n" } else { "\n" };
        Some(format!(" {tag}{indicator}{explicit}{chomp}{comment}\n{margin}{content}{end}"))
    }

    /// Writes a text as a flow scalar; with an indentation it may go over several lines.
    fn scalar(&mut self, text: &str, indent: Option<usize>) -> String {
        let plain = text.chars().find(|character| !is_mark(*character)).is_none_or(|first| !"\"'".contains(first));
        let plain = plain && !(indent.is_none() && text.contains([',', '[', ']', '{', '}', '"']));
        let tag = self.draws.one(&["", "", "", "", "!!str ", "!local "]);
        let is_quoted = self.json || !plain || self.draws.once_in(2);
        let tag = if self.json { "" } else { tag };
        let style = if is_quoted { Some(self.quotes) } else { None };
        let mut written = String::new();
        let mut characters = text.chars().peekable();
        let mut last = ' ';
        while let Some(character) = characters.next() {
            let foldable = indent
                .filter(|_| character == ' ' && last != ' ' && characters.peek().is_some_and(|next| *next != ' '))
                .filter(|_| !self.json);
            match (style, character) {
                _ if is_mark(character) => written.push(character),
                (_, ' ') if foldable.is_some() && self.draws.once_in(3) => {
                    written += &format!("\n{}", " ".repeat(foldable.unwrap_or_default() + self.draws.pick(3)));
                }
                (Some('\''), '\'') => written += "''",
                (Some('"'), '"') => written += "\\\"",
                // The place of a site is told by its first character only if that stands there as it is.
                (Some('"'), _) if u32::from(last) < SITES && self.draws.once_in(24) => {
                    let code = u32::from(character);
                    written += &match self.draws.pick(4) {
                        0 | 1 => format!("\\u{code:04x}"),
                        _ if self.json => format!("\\u{code:04X}"),
                        2 => format!("\\x{code:02X}"),
                        _ => format!("\\U{code:08x}"),
                    };
                }
                (Some('"'), _)
                    if indent.is_some() && !self.json && character != ' ' && u32::from(last) < SITES && self.draws.once_in(40) =>
                {
                    written += &format!("\\\n{}{character}", " ".repeat(indent.unwrap_or_default()));
                }
                _ => written.push(character),
            }
            last = character;
        }
        let quote = style.map_or(String::new(), String::from);
        format!("{tag}{quote}{written}{quote}")
    }

    /// Writes YAML in a literal block, or in double quotes.
    fn yaml(&mut self, entries: &[(String, Node)], parent: usize) -> String {
        let outer = self.quotes;
        self.quotes = self.draws.one(&['"', '\'']);
        let first = self.slots.len();
        let quote = self.quotes;
        let start = format!("# api\nhabit: {quote}x{quote}\nnames: api {API} {CHART}\n");
        let text = start + &self.map(entries, 0, false);
        self.quotes = outer;
        if outer == '"' && self.draws.once_in(4) {
            let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
            // The marks are no characters of these, so what they stand for is escaped by itself.
            for slot in &mut self.slots[first..] {
                *slot = [escaped(&slot[0]), escaped(&slot[1])];
            }
            return format!(" \"{}\"\n", escaped(&text));
        }
        let more = 1 + self.draws.pick(4);
        let explicit = if self.draws.once_in(3) { more.to_string() } else { String::new() };
        let chomp = self.draws.one(&["", "-", "+"]);
        let margin = " ".repeat(parent + more);
        let lines: String = text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{margin}{line}\n") }).collect();
        format!(" |{explicit}{chomp}\n{lines}")
    }

    /// Writes a value in flow style.
    fn flow(&mut self, node: &Node, indent: usize) -> String {
        match node {
            Node::Map(entries) => {
                let mut items = Vec::new();
                for (name, node) in entries {
                    let key = if self.json { format!("\"{name}\"") } else { self.key(name) };
                    items.push(format!("{key}: {}", self.flow(node, indent)));
                }
                self.braced(['{', '}'], &items, indent)
            }
            Node::List(items) => {
                let items: Vec<String> = items.iter().map(|item| self.flow(item, indent)).collect();
                self.braced(['[', ']'], &items, indent)
            }
            Node::Tag { .. } => self.lone_tag(node),
            Node::Text(text) => self.scalar(text, None),
            Node::Escaped(site) => self.escaped(*site),
            Node::Alias(name) => format!("*{name}"),
            Node::Anchored(name, node) => format!("&{name} {}", self.flow(node, indent)),
            Node::Raw(_) | Node::Yaml(_) => "~".to_owned(),
        }
    }

    fn braced(&mut self, [open, close]: [char; 2], items: &[String], indent: usize) -> String {
        let line = format!("\n{}", " ".repeat(indent));
        let commented = format!(" # c \"\n{}", " ".repeat(indent));
        let mut text = open.to_string();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                // An alias ends at a blank only.
                text += self.draws.one(&[", ", " ,", " , ", ", "]);
            }
            let most = if self.json { 2 } else { 3 };
            text += [" ", &line, &commented][self.draws.pick(most)];
            text += item;
        }
        text + " " + &close.to_string()
    }

    fn json_text(&mut self) -> String {
        let entries = self.entries(0);
        let mut text = self.flow(&Node::Map(entries), 2);
        text.insert_str(1, &format!("\n  \"names\": \"api {API} {CHART}\","));
        text.push('\n');
        if self.draws.once_in(4) { text.replace('\n', "\r\n") } else { text }
    }

    // What comes out.

    fn finish(&self, template: &str) -> Case {
        let [(old, before), (new, after)] = [0, 1].map(|turn| self.fill(template, turn));
        Case { old, new, tag: self.new.0, before, after }
    }

    /// Puts the old or the new values in the place of the marks, and tells where the sites stand.
    fn fill(&self, template: &str, turn: usize) -> (String, Vec<Expected>) {
        let mut marked = String::new();
        for character in template.chars() {
            match (u32::from(character).checked_sub(SLOTS), u32::from(character).checked_sub(SITES)) {
                (Some(slot), None) => marked += &self.slots[slot as usize][turn],
                _ => marked.push(character),
            }
        }
        let (mut text, mut expected) = (String::new(), Vec::new());
        let (mut line, mut column) = (1, 1);
        for character in marked.chars() {
            if let Some(site) = u32::from(character).checked_sub(SITES) {
                expected.push(self.sites[site as usize].expected(line, column, turn));
                continue;
            }
            text.push(character);
            match character {
                '\n' => (line, column) = (line + 1, 1),
                '\u{feff}' => {}
                _ => column += 1,
            }
        }
        expected.sort();
        (text, expected)
    }
}

impl Site {
    fn expected(&self, line: usize, column: usize, turn: usize) -> Expected {
        Expected {
            line,
            column,
            shape: self.shape.to_string(),
            repository: self.repository.to_owned(),
            tag: self.tag.as_ref().map(|(old, new)| if turn == 0 { old.clone() } else { new.clone() }),
            digest: self.digest.then(|| digest(if turn == 0 { 'a' } else { 'b' })),
            locked: self.locked.as_ref().map(ToString::to_string),
        }
    }
}

/// Says whether a value can be written in flow style.
fn is_flow(node: &Node) -> bool {
    match node {
        Node::Raw(_) | Node::Yaml(_) => false,
        Node::Map(entries) => entries.iter().all(|(_, node)| is_flow(node)),
        Node::List(items) => items.iter().all(is_flow),
        Node::Anchored(_, node) => is_flow(node),
        Node::Text(_) | Node::Tag { .. } | Node::Alias(_) | Node::Escaped(_) => true,
    }
}
