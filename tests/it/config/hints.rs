//! What is no mistake, yet most likely not what was meant.

use tagboat::config::load_str;

fn hints(text: &str) -> Vec<String> {
    load_str("policy.toml", text, &super::variables()).unwrap_or_else(|report| panic!("{report}")).hints()
}

fn environment(name: &str, more: &str) -> String {
    format!("[environment.{name}]\nurl = \"https://git.example.com/{name}.git\"\n{more}")
}

const AUTHOR: &str = "author = \"Bot <bot@example.com>\"\n";

#[test]
fn the_default_author_is_told_where_a_forge_may_refuse_it() {
    let image = "[[image]]\nrepository = \"nginx\"\n";
    let local = "[environment.local]\nurl = \"/srv/env.git\"\n[environment.file]\nurl = \"file:///srv/e.git\"\n";
    assert_eq!(hints(&format!("{}{local}{image}", environment("prod", AUTHOR))), [""; 0]);
    let ssh = "[environment.ssh]\nurl = \"git@git.example.com:e.git\"\n";
    assert_eq!(
        hints(&format!("{}{}{ssh}{local}{image}", environment("prod", AUTHOR), environment("staging", ""))),
        [
            "many forges refuse commits by Tagboat <tagboat@localhost>, the default; set `author` in [environment.ssh], [environment.staging]"
        ]
    );
}

/// The hints about these images, with two environments whose authors are set.
fn of_images(images: &[&str]) -> Vec<String> {
    let images: String = images.iter().map(|image| format!("[[image]]\n{image}\n")).collect();
    hints(&format!("{}{}{images}", environment("prod", AUTHOR), environment("test", AUTHOR)))
}

#[test]
fn a_rule_that_is_never_used_is_told_with_the_one_before_it() {
    let never = |name: &str, line: usize, first: usize| {
        format!(
            "policy.toml:{line}:1: this rule for `{name}` is never used; what stands before it, at policy.toml:{first}:1, covers the same"
        )
    };
    let (nginx, of_prod) = ("repository = \"nginx\"", "environments = [\"prod\"]\nrepository = \"nginx\"");
    assert_eq!(of_images(&[nginx, of_prod]), [never("docker.io/library/nginx", 9, 7)]);
    assert_eq!(of_images(&["repository = \"ghcr.io/**\"", "repository = \"ghcr.io/acme/*\""]), [never("ghcr.io/acme/*", 9, 7)]);
    // Each takes one environment away; nothing is left for the third.
    let of_test = "environments = [\"test\"]\nrepository = \"nginx\"";
    assert_eq!(of_images(&[of_prod, of_test, nginx]), [never("docker.io/library/nginx", 13, 7)]);
    let (paths, paths_of_prod) =
        ("repository = \"nginx\"\npaths = [\"a/**\"]", "repository = \"nginx\"\npaths = [\"a/**\"]\nenvironments = [\"prod\"]");
    assert_eq!(of_images(&[paths, paths_of_prod]), [never("docker.io/library/nginx", 10, 7)]);
}

#[test]
fn a_rule_that_is_used_somewhere_is_not_told() {
    let (nginx, of_prod) = ("repository = \"nginx\"", "environments = [\"prod\"]\nrepository = \"nginx\"");
    let nothing = [""; 0];
    assert_eq!(of_images(&[of_prod, nginx]), nothing);
    assert_eq!(of_images(&["repository = \"ghcr.io/acme/*\"", "repository = \"ghcr.io/acme/api\""]), nothing);
    assert_eq!(of_images(&["repository = \"ghcr.io/acme/*\"", "repository = \"ghcr.io/**\""]), nothing);
    assert_eq!(of_images(&[nginx, "repository = \"nginx\"\npaths = [\"edge/**\"]"]), nothing);
    assert_eq!(of_images(&["repository = \"nginx\"\npaths = [\"edge/**\"]", nginx]), nothing);
}
