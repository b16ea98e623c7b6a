//! The picture of the crates in `docs/architecture.md`, drawn from the manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, path::PathBuf};

use anyhow::Context as _;
use layout::backends::svg::SVGWriter;
use layout::core::{base::Orientation, geometry::Point, style::StyleAttr};
use layout::std_shapes::shapes::{Arrow, Element, ShapeKind};
use layout::topo::layout::VisualGraph;

use crate::project::{Package, Project};

/// A developer's tool, and no part of what is built.
const NOT_DRAWN: &str = "xtask";

/// The width and height of a crate's box, in pixels.
const BOX: Point = Point { x: 150.0, y: 36.0 };

/// Each crate with those that it depends on, tests aside.
type Edges<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Where the picture is kept.
pub(crate) fn path(project: &Project) -> PathBuf {
    project.root().join("docs/architecture.svg")
}

/// Draws the picture anew, if its page is there.
pub(crate) fn write(project: &Project) -> anyhow::Result<()> {
    let path = path(project);
    if !path.with_extension("md").exists() {
        return Ok(());
    }
    fs::write(&path, draw(project.packages()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Returns the picture as SVG. The same manifests give the same bytes.
///
/// An arrow that follows from others is left out: who depends on orch-app need not point at what orch-app depends on.
pub(crate) fn draw(packages: &[Package]) -> String {
    let edges = edges(packages);
    let mut graph = VisualGraph::new(Orientation::TopToBottom);
    let boxes: BTreeMap<_, _> = edges
        .keys()
        .map(|name| {
            let shape = ShapeKind::new_box(name);
            let element =
                Element::create(shape, StyleAttr::simple(), Orientation::TopToBottom, BOX);
            (*name, graph.add_node(element))
        })
        .collect();
    for (user, used) in arrows(&edges) {
        graph.add_edge(Arrow::simple(""), boxes[user], boxes[used]);
    }
    let mut writer = SVGWriter::new();
    graph.do_it(false, false, false, &mut writer);
    readable_everywhere(&writer.finalize())
}

fn edges(packages: &[Package]) -> Edges<'_> {
    let is_drawn =
        |name: &str| name != NOT_DRAWN && packages.iter().any(|package| package.name == name);
    let drawn = packages.iter().filter(|package| is_drawn(&package.name));
    drawn
        .map(|package| {
            let used = package.dependencies.iter().filter(|used| used.kind.is_none());
            let used = used.map(|used| used.name.as_str());
            (package.name.as_str(), used.filter(|used| is_drawn(used)).collect())
        })
        .collect()
}

/// Returns the edges that do not follow from others.
fn arrows<'a>(edges: &Edges<'a>) -> Vec<(&'a str, &'a str)> {
    let mut arrows = Vec::new();
    for (user, used) in edges {
        let is_implied = |name: &str| used.iter().any(|other| reaches(edges, other, name));
        arrows.extend(used.iter().filter(|name| !is_implied(name)).map(|name| (*user, *name)));
    }
    arrows
}

/// Whether `from` depends on `to`, by way of others too. Cargo has no circles, so this ends.
fn reaches(edges: &Edges<'_>, from: &str, to: &str) -> bool {
    edges[from].iter().any(|next| *next == to || reaches(edges, next, to))
}

/// A white ground for dark pages; a colour that all viewers know for the heads of the arrows; the reader's own letters.
fn readable_everywhere(svg: &str) -> String {
    svg.replacen("<defs>", "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<defs>", 1)
        .replace("context-stroke", "black")
        .replace("Times, serif", "sans-serif")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn packages(edges: &[(&str, &[&str])]) -> Vec<Package> {
        let package = |(name, used): &(&str, &[&str])| {
            let used: Vec<_> =
                used.iter().map(|used| json!({"name": used, "kind": null})).collect();
            json!({"name": name, "dependencies": used, "features": {}})
        };
        serde_json::from_value(edges.iter().map(package).collect()).unwrap()
    }

    #[test]
    fn an_arrow_that_follows_from_others_is_left_out() {
        let packages = packages(&[
            ("cli", &["app", "core", "serde"]),
            ("app", &["core"]),
            ("core", &[]),
            (NOT_DRAWN, &["cli"]),
        ]);
        assert_eq!(arrows(&edges(&packages)), [("app", "core"), ("cli", "app")]);
    }

    #[test]
    fn every_crate_has_a_box_and_the_bytes_are_the_same_again() {
        let packages = packages(&[("app", &["core"]), ("core", &[])]);
        let svg = draw(&packages);
        assert!(svg.contains(">app<") && svg.contains(">core<"), "{svg}");
        assert_eq!(svg, draw(&packages));
    }
}
