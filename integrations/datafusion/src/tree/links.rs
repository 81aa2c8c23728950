//! By which of the columns that must be equal the leaves of a tree are joined.
//!
//! A plan says in which order somebody thought to join, and so which keys come first. What must be equal in the end does not
//! depend on that, and so neither does what is decided here: joins are made by the keys that leave least, as far as samples
//! tell; the other keys filter leaves, and are compared in the rows that come out.

use datafusion::common::Result;

use super::forest::{Check, Key};

/// What is known of a leaf once it has been read.
pub(crate) struct Known {
    pub(crate) rows: usize,
    /// Whether it is the other side of a semi join; then it has one key.
    pub(crate) is_required: bool,
    /// Of each key whether it is an integer.
    pub(crate) integers: Vec<bool>,
}

/// Keys of a leaf that are compared together, by their numbers there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) leaf: usize,
    pub(crate) keys: Vec<usize>,
}

impl Keys {
    fn one(key: Key) -> Self {
        Self {
            leaf: key.leaf,
            keys: vec![key.key],
        }
    }

    fn nth(&self, nth: usize) -> Key {
        Key {
            leaf: self.leaf,
            key: self.keys[nth],
        }
    }
}

/// Keys of two leaves that must be equal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link(pub(crate) [Keys; 2]);

/// How leaves are joined.
#[derive(Debug)]
pub(crate) struct Links {
    /// The joins, which make a tree of the leaves.
    pub(crate) joins: Vec<Link>,
    /// Keys by which nothing is joined, but filtered: each with one of the same class.
    pub(crate) filters: Vec<Link>,
    /// What is left to be compared, what rules most rows out first.
    pub(crate) checks: Vec<Check>,
}

impl Links {
    /// How leaves are joined whose keys in each of `classes` are equal in every row of the output. `values` estimates how
    /// many different values keys have.
    ///
    /// # Errors
    ///
    /// Those of `values`.
    pub(crate) fn of(
        classes: &[Vec<Key>],
        leaves: &[Known],
        values: impl Fn(&Keys) -> Result<f64>,
    ) -> Result<Self> {
        let classes: Vec<Class<'_>> = classes.iter().map(|keys| Class { keys, leaves }).collect();
        let mut spanning = Spanning::new(&classes, leaves, values)?;
        while spanning.join_next() {}
        let mut links = Self {
            joins: spanning.joins,
            filters: Vec::new(),
            checks: Vec::new(),
        };
        for class in &classes {
            links.finish(class);
        }
        // Keys of a join are equal unless two hashes are by chance: they come after those that nobody has looked at.
        let mut hashed = Vec::new();
        for Link([left, right]) in &links.joins {
            if left.keys.len() > 1 || !leaves[left.leaf].integers[left.keys[0]] {
                let pairs = 0..left.keys.len();
                hashed.extend(pairs.map(|nth| [left.nth(nth), right.nth(nth)]));
            }
        }
        links.checks.extend(hashed);
        Ok(links)
    }

    /// Sees to it that all keys of a class are equal in the rows that come out, and filters by those of integers early.
    fn finish(&mut self, class: &Class<'_>) {
        let host = class.host(&self.joins);
        let required = class.keys.iter();
        let required = required.filter(|key| class.leaves[key.leaf].is_required);
        let of_required = required.map(|&key| Link([Keys::one(host), Keys::one(key)]));
        self.joins.extend(of_required);
        // Which keys are equal by the joins: those with the same number.
        let mut part: Vec<usize> = (0..class.keys.len()).collect();
        let place = |key: Key| class.keys.iter().position(|&other| other == key);
        for Link([left, right]) in &self.joins {
            for nth in 0..left.keys.len() {
                if let (Some(left), Some(right)) = (place(left.nth(nth)), place(right.nth(nth))) {
                    merge(&mut part, left, right);
                }
            }
        }
        for (key, &of) in class.keys.iter().enumerate().skip(1) {
            if part[key] != part[0] {
                self.checks.push([class.keys[0], of]);
                merge(&mut part, 0, key);
            }
        }
        let inner: Vec<Key> = class.inner().collect();
        let joined_by = |key: Key| {
            let sides = self.joins.iter().flat_map(|link| &link.0);
            let mut with = sides.filter(|keys| keys.leaf == key.leaf);
            with.any(|keys| keys.keys.contains(&key.key))
        };
        // A join of two keys, be it by others as well, filters by itself.
        if class.is_of_integers() && !(inner.len() == 2 && inner.iter().all(|&key| joined_by(key)))
        {
            let others = inner.into_iter().filter(|key| key.leaf != host.leaf);
            let of_others = others.map(|key| Link([Keys::one(key), Keys::one(host)]));
            self.filters.extend(of_others);
        }
    }
}

/// Keys that are equal in every row of the output.
struct Class<'a> {
    keys: &'a [Key],
    leaves: &'a [Known],
}

impl Class<'_> {
    /// Of each leaf that is no other side of a semi join, a key.
    fn inner(&self) -> impl Iterator<Item = Key> {
        let first = move |&(number, key): &(usize, &Key)| {
            let mut before = self.keys[..number].iter();
            !self.leaves[key.leaf].is_required && !before.any(|other| other.leaf == key.leaf)
        };
        let keys = self.keys.iter().enumerate().filter(first);
        keys.map(|(_, &key)| key)
    }

    fn of(&self, leaf: usize) -> Option<Key> {
        self.inner().find(|key| key.leaf == leaf)
    }

    fn is_of_integers(&self) -> bool {
        self.keys
            .iter()
            .all(|key| self.leaves[key.leaf].integers[key.key])
    }

    /// The key that others of the class are tied to: one by which its leaf is joined, if there is one, of the smallest leaf.
    fn host(&self, joins: &[Link]) -> Key {
        let is_joined = |key: Key| {
            let mut sides = joins.iter().flat_map(|link| &link.0);
            sides.any(|keys| *keys == Keys::one(key))
        };
        let host = self
            .inner()
            .min_by_key(|&key| (!is_joined(key), self.leaves[key.leaf].rows));
        host.expect("a semi join has a side whose rows are results")
    }
}

/// The joins of leaves that are no other sides of semi joins, as they are chosen (Kruskal, 1956).
struct Spanning<'a> {
    classes: &'a [Class<'a>],
    leaves: &'a [Known],
    /// What leaves may be joined by.
    sets: Vec<Set>,
    /// Pairs of leaves that nothing connects yet, and the set of all classes that both have keys in.
    edges: Vec<([usize; 2], usize)>,
    /// Of each leaf what it is connected with: leaves of the same number.
    part: Vec<usize>,
    joins: Vec<Link>,
}

/// Classes whose keys are compared together.
struct Set {
    classes: Vec<usize>,
    /// Of each leaf those that it is joined with by this set: leaves of the same number.
    part: Vec<usize>,
    /// Of each leaf how many different values its keys have; of leaves that are joined, the least of theirs.
    values: Vec<f64>,
}

impl<'a> Spanning<'a> {
    fn new(
        classes: &'a [Class<'a>],
        leaves: &'a [Known],
        values: impl Fn(&Keys) -> Result<f64>,
    ) -> Result<Self> {
        let apart: Vec<usize> = (0..leaves.len()).collect();
        let mut spanning = Self {
            classes,
            leaves,
            sets: Vec::new(),
            edges: Vec::new(),
            part: apart.clone(),
            joins: Vec::new(),
        };
        let mut of_leaf: Vec<Vec<usize>> = vec![Vec::new(); leaves.len()];
        for (number, class) in classes.iter().enumerate() {
            class.inner().for_each(|key| of_leaf[key.leaf].push(number));
        }
        for right in 0..leaves.len() {
            for left in 0..right {
                let shared = of_leaf[left].iter().copied();
                let shared = shared.filter(|class| of_leaf[right].contains(class));
                let shared: Vec<usize> = shared.collect();
                if shared.is_empty() {
                    continue;
                }
                let known = spanning.sets.iter().position(|set| set.classes == shared);
                let set = known.unwrap_or_else(|| {
                    spanning.sets.push(Set {
                        classes: shared,
                        part: apart.clone(),
                        values: vec![f64::NAN; leaves.len()],
                    });
                    spanning.sets.len() - 1
                });
                spanning.edges.push(([left, right], set));
            }
        }
        // Leaves and classes that are a tree leave no choice.
        let keys: usize = of_leaf.iter().map(Vec::len).sum();
        let inner = leaves.iter().filter(|leaf| !leaf.is_required).count();
        let used = classes.iter().filter(|class| class.inner().count() > 0);
        let is_free = keys + 1 > inner + used.count();
        for &(edge, set) in &spanning.edges {
            for leaf in edge {
                if spanning.sets[set].values[leaf].is_nan() {
                    let estimate = match is_free {
                        true => values(&spanning.keys(leaf, set))?,
                        false => 1.0,
                    };
                    spanning.sets[set].values[leaf] = estimate;
                }
            }
        }
        Ok(spanning)
    }

    /// The keys by which a leaf is joined by a set.
    fn keys(&self, leaf: usize, set: usize) -> Keys {
        let key = |&class: &usize| {
            let key = self.classes[class].of(leaf);
            key.expect("a key in each class of the set").key
        };
        Keys {
            leaf,
            keys: self.sets[set].classes.iter().map(key).collect(),
        }
    }

    /// By how much a join makes the result smaller, where values are spread evenly. Among leaves that are joined by one set
    /// all but the least of their numbers of values count, so the greater of both least ones does.
    fn gain(&self, &([left, right], set): &([usize; 2], usize)) -> f64 {
        let values = &self.sets[set].values;
        values[left].max(values[right])
    }

    /// Makes the join that gains most, of equal ones that of the smallest leaves; whether there was one.
    fn join_next(&mut self) -> bool {
        let part = &self.part;
        self.edges
            .retain(|([left, right], _)| part[*left] != part[*right]);
        let rows = |[left, right]: [usize; 2]| self.leaves[left].rows + self.leaves[right].rows;
        let best = self.edges.iter().max_by(|a, b| {
            let gains = self.gain(a).total_cmp(&self.gain(b));
            gains.then_with(|| rows(b.0).cmp(&rows(a.0)))
        });
        let Some(&([left, right], number)) = best else {
            return false;
        };
        let link = Link([left, right].map(|leaf| self.keys(leaf, number)));
        self.joins.push(link);
        merge(&mut self.part, left, right);
        let set = &mut self.sets[number];
        let least = set.values[left].min(set.values[right]);
        merge(&mut set.part, left, right);
        let joined = set.part[left];
        let of_joined = set.part.iter().zip(&mut set.values);
        of_joined
            .filter(|(part, _)| **part == joined)
            .for_each(|(_, values)| *values = least);
        true
    }
}

/// Gives everything of the part of `right` the number of the part of `left`.
fn merge(part: &mut [usize], left: usize, right: usize) {
    let (kept, merged) = (part[left], part[right]);
    let parts = part.iter_mut();
    parts
        .filter(|part| **part == merged)
        .for_each(|part| *part = kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves by their names and rows, and classes of keys, `leaf.key`, each with how many values it has.
    struct Tree {
        leaves: Vec<(&'static str, usize)>,
        classes: Vec<Vec<(&'static str, &'static str, f64)>>,
        required: &'static [&'static str],
    }

    impl Tree {
        /// TPC-H Q5: the nations of customers and suppliers close a cycle.
        fn q5() -> Self {
            Self {
                leaves: vec![
                    ("customer", 150_000),
                    ("orders", 230_000),
                    ("lineitem", 6_000_000),
                    ("supplier", 10_000),
                    ("nation", 25),
                    ("region", 1),
                ],
                classes: vec![
                    vec![("customer", "c", 150_000.0), ("orders", "c", 80_000.0)],
                    vec![("orders", "o", 230_000.0), ("lineitem", "o", 1_500_000.0)],
                    vec![("lineitem", "s", 10_000.0), ("supplier", "s", 10_000.0)],
                    vec![
                        ("customer", "n", 25.0),
                        ("supplier", "n", 25.0),
                        ("nation", "n", 25.0),
                    ],
                    vec![("nation", "r", 5.0), ("region", "r", 1.0)],
                ],
                required: &[],
            }
        }

        /// Joins, filters and checks, with names for numbers and sorted.
        fn links(&self) -> [Vec<String>; 3] {
            let leaf = |name: &str| self.leaves.iter().position(|leaf| leaf.0 == name).unwrap();
            let mut keys: Vec<Vec<(&str, f64)>> = vec![Vec::new(); self.leaves.len()];
            let classes = self.classes.iter().map(|class| {
                let class = class.iter().map(|&(of, name, values)| {
                    keys[leaf(of)].push((name, values));
                    Key {
                        leaf: leaf(of),
                        key: keys[leaf(of)].len() - 1,
                    }
                });
                class.collect()
            });
            let classes: Vec<Vec<Key>> = classes.collect();
            let known = self
                .leaves
                .iter()
                .zip(&keys)
                .map(|(&(name, rows), keys)| Known {
                    rows,
                    is_required: self.required.contains(&name),
                    integers: vec![true; keys.len()],
                });
            let known: Vec<Known> = known.collect();
            let values = |of: &Keys| {
                let all = of.keys.iter().map(|&key| keys[of.leaf][key].1);
                Ok(all.product::<f64>().min(known[of.leaf].rows as f64))
            };
            let links = Links::of(&classes, &known, values).unwrap();
            let named = |of: &Keys| {
                let names = of.keys.iter().map(|&key| keys[of.leaf][key].0);
                format!(
                    "{}.{}",
                    self.leaves[of.leaf].0,
                    names.collect::<Vec<_>>().join("+")
                )
            };
            let pair = |mut sides: [String; 2]| {
                sides.sort();
                sides.join(" = ")
            };
            let all = |links: &[Link]| {
                links
                    .iter()
                    .map(|Link(sides)| pair([0, 1].map(|side| named(&sides[side]))))
                    .collect()
            };
            let checks = links.checks.iter();
            let checks = checks.map(|&check| pair(check.map(|key| named(&Keys::one(key)))));
            let mut all = [all(&links.joins), all(&links.filters), checks.collect()];
            all.iter_mut()
                .for_each(|links: &mut Vec<String>| links.sort());
            all
        }
    }

    #[test]
    fn joins_are_made_by_keys_of_many_values() {
        let [joins, filters, checks] = Tree::q5().links();
        assert_eq!(
            joins,
            [
                "customer.c = orders.c",
                "lineitem.o = orders.o",
                "lineitem.s = supplier.s",
                "nation.n = supplier.n",
                "nation.r = region.r",
            ]
        );
        assert_eq!(filters, ["customer.n = nation.n", "nation.n = supplier.n"]);
        assert_eq!(checks, ["customer.n = supplier.n"]);
    }

    #[test]
    fn the_order_of_tables_and_of_equalities_does_not_matter() {
        let [joins, filters, _] = Tree::q5().links();
        for turn in 1..6 {
            let mut tree = Tree::q5();
            tree.leaves.rotate_left(turn);
            tree.classes.rotate_left(turn % 5);
            tree.classes
                .iter_mut()
                .for_each(|class| class.rotate_left(turn % 2));
            let [own_joins, own_filters, checks] = tree.links();
            assert_eq!(own_joins, joins);
            assert_eq!(own_filters, filters);
            assert!(
                checks.len() == 1 && checks[0].starts_with("customer.n"),
                "{checks:?}"
            );
        }
    }

    #[test]
    fn keys_that_two_leaves_share_are_one() {
        let tree = Tree {
            leaves: vec![("part", 100), ("lineitem", 6_000), ("partsupp", 400)],
            classes: vec![
                vec![
                    ("part", "p", 100.0),
                    ("lineitem", "p", 200.0),
                    ("partsupp", "p", 200.0),
                ],
                vec![("lineitem", "s", 20.0), ("partsupp", "s", 20.0)],
            ],
            required: &[],
        };
        let [joins, filters, checks] = tree.links();
        assert_eq!(
            joins,
            ["lineitem.p+s = partsupp.p+s", "part.p = partsupp.p"]
        );
        assert_eq!(filters, ["lineitem.p = part.p", "part.p = partsupp.p"]);
        // Hashes may be equal by chance.
        assert_eq!(
            checks,
            ["lineitem.p = partsupp.p", "lineitem.s = partsupp.s"]
        );
    }

    #[test]
    fn other_sides_of_semi_joins_connect_nothing() {
        let tree = Tree {
            leaves: vec![("a", 1000), ("b", 1000), ("semi", 1_000_000)],
            classes: vec![
                vec![
                    ("a", "x", 10.0),
                    ("semi", "x", 1_000_000.0),
                    ("b", "x", 10.0),
                ],
                vec![("a", "y", 100.0), ("b", "y", 100.0)],
            ],
            required: &["semi"],
        };
        let [joins, ..] = tree.links();
        assert_eq!(joins, ["a.x = semi.x", "a.x+y = b.x+y"]);
    }

    #[test]
    fn a_leaf_whose_own_keys_must_be_equal_is_checked() {
        let tree = Tree {
            leaves: vec![("a", 10), ("b", 10)],
            classes: vec![vec![("a", "x", 5.0), ("b", "x", 5.0), ("a", "y", 5.0)]],
            required: &[],
        };
        assert_eq!(
            tree.links(),
            [
                vec!["a.x = b.x".to_owned()],
                vec![],
                vec!["a.x = a.y".to_owned()]
            ]
        );
    }
}
