//! What credential a registry wants, for hints to those who have given none.

use globset::Glob;

/// Registries by their hosts' patterns, and what they want.
const WANTED: [(&str, &str); 16] = [
    ("*.dkr.ecr*.amazonaws.com*", "`auth = { provider = \"aws\" }`, with an identity that may pull"),
    ("*.dkr-ecr*.on.aws", "`auth = { provider = \"aws\" }`, with an identity that may pull"),
    ("public.ecr.aws", "`auth = { provider = \"aws\" }`, or none for public repositories"),
    ("*-docker.pkg.dev", "`auth = { provider = \"gcp\" }`, with an identity that may read from Artifact Registry"),
    ("gcr.io", "`auth = { provider = \"gcp\" }`, with an identity that may read from the registry"),
    ("*.gcr.io", "`auth = { provider = \"gcp\" }`, with an identity that may read from the registry"),
    ("*.azurecr.{io,cn,us}", "`auth = { provider = \"azure\" }`, with an identity that has the role AcrPull"),
    ("docker.io", "your user name, and an access token that may read as the password"),
    ("ghcr.io", "any user name, and a classic personal access token with `read:packages` as the password"),
    ("registry.gitlab.com", "any user name, and a token with `read_registry` as the password"),
    ("registry.digitalocean.com", "an API token both as user name and password"),
    ("rg.*.scw.cloud", "the user name `nologin`, and a secret key as the password"),
    ("quay.io", "a robot account, `namespace+name`, and its token as the password"),
    ("*.container-registry.ovh.net", "a Harbor user or robot account with its secret as the password"),
    ("*.jfrog.io", "a user name, and an identity token as the password"),
    ("cgr.dev", "a pull token's user name and password"),
];

/// Says what to give a registry that wants a credential and got none.
pub(super) fn credential(registry: &str) -> String {
    let here = format!("[registry.\"{registry}\"]");
    let matches = |pattern: &str| Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(registry));
    match WANTED.iter().find(|(pattern, _)| matches(pattern)) {
        Some((_, wanted)) => format!("give a credential as `auth` of {here}; this registry wants {wanted}"),
        None => format!("give a credential as `auth` of {here}; many registries answer so for names that do not exist, too"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_registries_are_told_by_their_hosts() {
        for (registry, wanted) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", Some("aws")),
            ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", Some("aws")),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", Some("aws")),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", Some("aws")),
            ("public.ecr.aws", Some("aws")),
            ("europe-west1-docker.pkg.dev", Some("gcp")),
            ("gcr.io", Some("gcp")),
            ("eu.gcr.io", Some("gcp")),
            ("acme.azurecr.io", Some("azure")),
            ("acme.azurecr.cn", Some("azure")),
            ("ghcr.io", Some("read:packages")),
            ("docker.io", Some("access token")),
            ("rg.fr-par.scw.cloud", Some("nologin")),
            ("notgcr.io", None),
            ("azurecr.io.example.com", None),
            ("registry.example.com:5000", None),
        ] {
            let hint = credential(registry);
            assert!(hint.contains(&format!("[registry.\"{registry}\"]")), "{hint}");
            match wanted {
                Some(wanted) => assert!(hint.contains(wanted), "{hint}"),
                None => assert!(!hint.contains("this registry wants"), "{hint}"),
            }
        }
        for (pattern, _) in WANTED {
            Glob::new(pattern).unwrap();
        }
    }
}
