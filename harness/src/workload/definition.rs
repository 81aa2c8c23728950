//! A workload's definition: whether its file makes sense, and its instances.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use join_core::kind::Kind;
use join_core::page::DataType;
use serde::{Deserialize, Serialize};

use super::count::Count;
use super::error::Error;
use super::fields::{BuildKeys, Fields, PayloadFields, ProbeKeys, Rungs, SideFields, SizeFields};
use super::instance::{Instance, Source};
use super::synthetic::{Nulls, STRING_BYTES, Synthetic};
use super::table_keys::TableKeys;
use super::tpch::Tpch;
use crate::files;
use crate::question::{NamedKind, Payload};
use report::record::Size;

/// Bytes of a row's payload at the most.
const MOST_PAYLOAD: u32 = 1024;

/// A workload as its file has it: something that gives one instance a size, or a ladder of them.
#[derive(Clone, Debug)]
pub struct Definition {
    origin: Arc<Origin>,
    fields: Fields,
}

/// A workload's file as it was read: what another process takes to have the same workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What errors call the file.
    pub file: String,
    /// What paths in it are relative to.
    pub folder: PathBuf,
    /// Its text.
    pub text: String,
}

impl Definition {
    /// Reads a workload file. Table folders that it names are relative to the file.
    ///
    /// # Errors
    /// If the file cannot be read, is not of the form, or makes no sense.
    pub fn open(path: &Path) -> Result<Definition, Error> {
        /// A definition of more than this is none.
        const MOST_BYTES: u64 = 1 << 20;
        let file = path.display().to_string();
        let text = files::read(path, MOST_BYTES)
            .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
        let text = text.map_err(|source| Error::Read {
            file: file.clone(),
            source,
        })?;
        Definition::parse(&file, path.parent().unwrap_or(Path::new("")), &text)
    }

    /// A workload from the text of its file. `file` is what errors call it, `folder` what paths in it are relative to.
    ///
    /// # Errors
    /// If the text is not of the form, or makes no sense at one of the sizes. Table folders are looked at only in
    /// [`Definition::instances`].
    pub fn parse(file: &str, folder: &Path, text: &str) -> Result<Definition, Error> {
        let fields = toml::from_str(text).map_err(|error| {
            let before = error.span().map_or("", |span| &text[..span.start]);
            Error::Syntax {
                file: file.to_owned(),
                line: before.matches('\n').count() + 1,
                what: error.message().replace('\n', " "),
            }
        })?;
        let origin = Origin {
            file: file.to_owned(),
            folder: folder.to_owned(),
            text: text.to_owned(),
        };
        let definition = Definition {
            origin: Arc::new(origin),
            fields,
        };
        definition.check()?;
        Ok(definition)
    }

    /// The name; a ladder's rungs add their size to it.
    pub fn name(&self) -> &str {
        &self.fields.name
    }

    /// What it shows.
    pub fn sentence(&self) -> &str {
        &self.fields.sentence
    }

    /// What to look for in its chart.
    pub fn analysis(&self) -> &str {
        &self.fields.analysis
    }

    /// The instances at a size: one, or one a rung.
    ///
    /// # Errors
    /// If a table folder cannot be read or lacks the key column.
    pub fn instances(&self, size: Size) -> Result<Vec<Instance>, Error> {
        let fields = &self.fields;
        if let Some(payload) = &fields.payload {
            let source = self.source(size)?;
            let name = |bytes: u32| match payload.bytes.len() {
                1 => fields.name.clone(),
                _ => format!("{}-{bytes}", fields.name),
            };
            let instances = payload.bytes.iter().map(|&bytes| {
                let instance = self.instance(name(bytes), None, source.clone())?;
                let swept = &payload.swept;
                Ok(Instance {
                    payload_bytes: bytes,
                    swept: swept.as_ref().is_none_or(|swept| swept.contains(&bytes)),
                    ..instance
                })
            });
            return instances.collect();
        }
        let Some(ladder) = fields.ladder else {
            let source = self.source(size)?;
            let name = |kind: Kind| match fields.kinds.len() {
                0 | 1 => fields.name.clone(),
                _ => format!("{}-{kind}", fields.name),
            };
            let instances = self.kinds().map(|kind| {
                let instance = self.instance(name(kind), None, source.clone())?;
                let swept = &fields.swept;
                Ok(Instance {
                    kind,
                    swept: swept
                        .as_ref()
                        .is_none_or(|swept| swept.contains(&NamedKind(kind))),
                    ..instance
                })
            });
            return instances.collect();
        };
        let Rungs { from, to, step } = self.at(size).rungs.unwrap_or(ladder.rungs);
        (from..=to)
            .step_by(step as usize)
            .map(|rung| {
                let build_rows = 1_u64 << rung;
                let probe_rows =
                    (build_rows * u64::from(ladder.probe_factor)).min(ladder.probe_cap.0);
                let source = self.synthetic(Some(build_rows), Some(probe_rows))?;
                let name = format!("{}-2^{rung}", fields.name);
                self.instance(name, Some(fields.name.clone()), source)
            })
            .collect()
    }

    /// The kinds of join, each once.
    fn kinds(&self) -> impl Iterator<Item = Kind> {
        let inner = self.fields.kinds.is_empty().then_some(Kind::Inner);
        let named = self.fields.kinds.iter().map(|kind| kind.0);
        named.chain(inner)
    }

    fn at(&self, size: Size) -> &SizeFields {
        match size {
            Size::Quick => &self.fields.quick,
            Size::Default => &self.fields.default,
            Size::Full => &self.fields.full,
        }
    }

    fn instance(
        &self,
        name: String,
        group: Option<String>,
        source: Source,
    ) -> Result<Instance, Error> {
        let key_type = self.key_type(&source)?;
        Ok(Instance {
            name,
            group,
            kind: Kind::Inner,
            payload_bytes: 0,
            swept: true,
            sentence: self.fields.sentence.clone(),
            analysis: self.fields.analysis.clone(),
            key_type,
            seed: self.fields.seed,
            source,
            origin: self.origin.clone(),
            expected: self.fields.expected.clone(),
        })
    }

    fn key_type(&self, source: &Source) -> Result<DataType, Error> {
        let key_type = match source {
            Source::Synthetic(_) | Source::Tpch(_) => {
                self.fields.key_type.unwrap_or(DataType::Int32)
            }
            Source::Tables(build, probe) => {
                if build.data_type() != probe.data_type() {
                    return Err(self.invalid(format!(
                        "{build} is {}, but {probe} is {}; both key columns must be INT32, or both INT64: import one of \
                         the tables again with --types, such as --types NAME=INT64",
                        build.data_type(),
                        probe.data_type()
                    )));
                }
                let found = build.data_type();
                if let Some(asked) = self.fields.key_type.filter(|&asked| asked != found) {
                    return Err(self.invalid(format!(
                        "{build} is {found}, but key_type says {asked}; leave key_type out, tables have their own"
                    )));
                }
                found
            }
        };
        let is_possible = match (source, key_type) {
            (_, DataType::Int32) => true,
            (Source::Tpch(tpch), DataType::Int64) => !tpch.is_composite(),
            (_, DataType::Int64) => true,
            (Source::Synthetic(_), DataType::Varchar) => true,
            _ => false,
        };
        if !is_possible {
            return Err(self.invalid(format!(
                "the keys are {key_type}; INT32 and INT64 can be joined on, VARCHAR where keys are drawn, and keys of two \
                 columns are INT32"
            )));
        }
        if let Source::Tpch(tpch) = source
            && key_type == DataType::Int32
            && i32::try_from(tpch.largest_key()).is_err()
        {
            return Err(self.invalid(format!(
                "scale factor {} has keys beyond INT32; say key_type = \"INT64\"",
                tpch.scale_factor
            )));
        }
        Ok(key_type)
    }

    fn source(&self, size: Size) -> Result<Source, Error> {
        let at = self.at(size);
        if let Some(tpch) = self.fields.tpch {
            return Ok(Source::Tpch(Tpch {
                join: tpch.join,
                scale_factor: at.scale_factor.unwrap_or(tpch.scale_factor),
            }));
        }
        if self.is_tables() {
            let build = self.table_keys("build", &self.fields.build)?;
            let probe = self.table_keys("probe", &self.fields.probe)?;
            return Ok(Source::Tables(build, probe));
        }
        let rows = |side: Option<Option<Count>>, at: Option<Count>| {
            at.or(side.flatten()).map(|Count(rows)| rows)
        };
        self.synthetic(
            rows(
                self.fields.build.as_ref().map(|side| side.rows),
                at.build_rows,
            ),
            rows(
                self.fields.probe.as_ref().map(|side| side.rows),
                at.probe_rows,
            ),
        )
    }

    fn synthetic(&self, build_rows: Option<u64>, probe_rows: Option<u64>) -> Result<Source, Error> {
        let (build_keys, build_nulls) = self.side("build", &self.fields.build)?;
        let (probe_keys, probe_nulls) = self.side("probe", &self.fields.probe)?;
        let synthetic = Synthetic {
            build_rows: self.rows("build", build_rows)?,
            build_keys,
            build_nulls,
            probe_rows: self.rows("probe", probe_rows)?,
            probe_keys,
            probe_nulls,
            condition: self.fields.condition,
            longest_key: self.fields.key_bytes.unwrap_or(*STRING_BYTES.end()),
            key_columns: self.fields.key_columns,
        };
        match build_keys {
            BuildKeys::Duplicated { each } if u64::from(each) > build_rows.unwrap_or(0) => {
                Err(self.invalid(format!(
                    "each = {each} is more than the {} build rows; lower it, or raise the rows",
                    synthetic.build_rows
                )))
            }
            _ => Ok(Source::Synthetic(synthetic)),
        }
    }

    fn rows(&self, side: &str, rows: Option<u64>) -> Result<u32, Error> {
        let rows = rows.ok_or_else(|| {
            self.invalid(format!(
                "[{side}] has no rows; add for instance rows = \"1M\""
            ))
        })?;
        u32::try_from(rows).map_err(|_| {
            self.invalid(format!(
                "the {side} side has {rows} rows; at most {} are possible, because row ids are 32 bits wide",
                u32::MAX
            ))
        })
    }

    fn side<Keys: Copy>(
        &self,
        name: &str,
        side: &Option<SideFields<Keys>>,
    ) -> Result<(Keys, Nulls), Error> {
        let Some(side) = side else {
            return Err(self.invalid(format!(
                "there is no [{name}]; add it with rows and keys, or with table and key"
            )));
        };
        let keys = side.keys.ok_or_else(|| {
            self.invalid(format!(
                "[{name}] has no keys; add for instance keys = \"{}\"",
                if name == "build" { "unique" } else { "uniform" }
            ))
        })?;
        self.share(&format!("[{name}] null_share"), side.null_share)?;
        match (side.one_null, side.null_share) {
            (false, share) => Ok((keys, Nulls::Share(share))),
            (true, 0.0) => Ok((keys, Nulls::One)),
            (true, _) => Err(self.invalid(format!(
                "[{name}] has null_share and one_null; leave out one of them"
            ))),
        }
    }

    fn table_keys<Keys>(
        &self,
        name: &str,
        side: &Option<SideFields<Keys>>,
    ) -> Result<TableKeys, Error> {
        match side {
            Some(SideFields {
                table: Some(table),
                key: Some(key),
                rows: None,
                keys: None,
                null_share: 0.0,
                one_null: false,
            }) => TableKeys::find(&self.origin.file, &self.origin.folder.join(table), key),
            _ => Err(self.invalid(format!(
                "[{name}] must have table and key and nothing else, because a side of this workload is a table folder"
            ))),
        }
    }

    fn is_tables(&self) -> bool {
        fn named<Keys>(side: &Option<SideFields<Keys>>) -> bool {
            side.as_ref()
                .is_some_and(|side| side.table.is_some() || side.key.is_some())
        }
        named(&self.fields.build) || named(&self.fields.probe)
    }

    /// Whether the parts of the file go together, and whether every size is possible.
    fn check(&self) -> Result<(), Error> {
        let fields = &self.fields;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.^+".contains(c);
        if fields.name.is_empty() || !fields.name.chars().all(is_plain) {
            return Err(self.invalid(format!(
                "the name {:?} must consist of letters, digits and - _ . ^ +",
                fields.name
            )));
        }
        let sides = fields.build.is_some() || fields.probe.is_some();
        if fields.tpch.is_some() && (sides || fields.ladder.is_some()) {
            return Err(self.invalid(
                "[tpch] goes with neither [build], [probe] nor [ladder]; leave out one of them",
            ));
        }
        if fields.ladder.is_some() && self.is_tables() {
            return Err(self.invalid("[ladder] does not go with table folders; leave it out"));
        }
        if fields.ladder.is_some() && !fields.kinds.is_empty() {
            return Err(self.invalid("[ladder] does not go with kinds; leave out one of them"));
        }
        let twice = |(at, kind): (usize, &NamedKind)| fields.kinds[..at].contains(kind);
        if fields.kinds.iter().enumerate().any(twice) {
            return Err(self.invalid("kinds names one of them twice; leave one out"));
        }
        let mut swept = fields.swept.iter().flatten();
        let stray = swept.find(|swept| !self.kinds().any(|kind| kind == swept.0));
        if let Some(NamedKind(kind)) = stray {
            return Err(self.invalid(format!(
                "swept names {kind}, which kinds does not; add it there, or leave it out"
            )));
        }
        if let Some(condition) = fields.condition {
            self.share(
                "the share of pairs that the condition keeps",
                condition.share(),
            )?;
            if fields.tpch.is_some() || self.is_tables() {
                return Err(self.invalid(
                    "condition goes with drawn keys alone, not with [tpch] or table folders; leave it out",
                ));
            }
            if let Some(kind) = self.kinds().find(|kind| kind.is_null_aware()) {
                return Err(self.invalid(format!(
                    "condition does not go with {kind}, which asks what a NULL might equal; leave out one of them"
                )));
            }
        }
        if let Some(payload) = &fields.payload {
            self.check_payload(payload)?;
        }
        self.check_keys()?;
        match fields.build.as_ref().and_then(|build| build.keys) {
            Some(BuildKeys::Duplicated { each: 0 }) => {
                return Err(self.invalid("each = 0 leaves no rows; a key needs at least one"));
            }
            Some(BuildKeys::Heavy { share }) => self.share("the heavy key's share", share)?,
            _ => {}
        }
        match fields.probe.as_ref().and_then(|probe| probe.keys) {
            Some(ProbeKeys::Match { share, of }) => {
                self.share("the share of matches", share)?;
                self.share("the share of build keys that are found", of)?;
            }
            Some(ProbeKeys::Zipf { exponent }) if !(0.0..=20.0).contains(&exponent) => {
                return Err(self.invalid(format!(
                    "the exponent {exponent} is outside of 0..20; 0 is uniform, 1 is the usual skew"
                )));
            }
            _ => {}
        }
        for size in [Size::Quick, Size::Default, Size::Full] {
            self.check_size(size)?;
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), Error> {
        let Fields {
            key_type,
            key_bytes,
            key_columns,
            ..
        } = self.fields;
        let are_strings = key_type == Some(DataType::Varchar);
        match (key_bytes, key_columns) {
            (Some(_), _) if !are_strings => Err(self.invalid(
                "key_bytes is of strings alone; leave it out, or say key_type = \"VARCHAR\"",
            )),
            (Some(bytes), _) if !STRING_BYTES.contains(&bytes) => Err(self.invalid(format!(
                "key_bytes = {bytes} is the longest key, of which {} to {} bytes are possible",
                STRING_BYTES.start(),
                STRING_BYTES.end()
            ))),
            (_, 1) => Ok(()),
            (_, 2) if are_strings || self.fields.tpch.is_some() || self.is_tables() => {
                Err(self.invalid(
                    "key_columns goes with drawn INT32 or INT64 keys alone; leave it out",
                ))
            }
            (_, 2) => match self.kinds().find(|kind| kind.is_null_aware()) {
                Some(kind) => Err(self.invalid(format!(
                    "key_columns does not go with {kind}, which asks what a NULL might equal; leave out one of them"
                ))),
                None => Ok(()),
            },
            (_, columns) => Err(self.invalid(format!(
                "key_columns = {columns}; a key has 1 or 2 columns"
            ))),
        }
    }

    fn check_payload(&self, payload: &PayloadFields) -> Result<(), Error> {
        let fields = &self.fields;
        let others = [
            ("kinds", !fields.kinds.is_empty()),
            ("condition", fields.condition.is_some()),
            ("[ladder]", fields.ladder.is_some()),
            ("[tpch]", fields.tpch.is_some()),
            ("table folders", self.is_tables()),
        ];
        if let Some((other, _)) = others.iter().find(|(_, is_there)| *is_there) {
            return Err(self.invalid(format!(
                "payload goes with inner joins of drawn keys alone, not with {other}; leave out one of them"
            )));
        }
        let width = Payload::WIDTH;
        let is_width =
            |&bytes: &u32| bytes > 0 && bytes <= MOST_PAYLOAD && bytes.is_multiple_of(width);
        match payload.bytes.iter().find(|bytes| !is_width(bytes)) {
            Some(bytes) => {
                return Err(self.invalid(format!(
                    "a payload of {bytes} bytes is no number of INT64 columns; give a multiple of {width} up to {MOST_PAYLOAD}"
                )));
            }
            None if payload.bytes.is_empty() => {
                return Err(self.invalid("payload names no bytes; add for instance bytes = [8]"));
            }
            None => {}
        }
        let twice = |(at, bytes): (usize, &u32)| payload.bytes[..at].contains(bytes);
        if payload.bytes.iter().enumerate().any(twice) {
            return Err(self.invalid("payload names a number of bytes twice; leave one out"));
        }
        let mut swept = payload.swept.iter().flatten();
        match swept.find(|swept| !payload.bytes.contains(swept)) {
            Some(stray) => Err(self.invalid(format!(
                "the payload's swept names {stray}, which its bytes do not; add it there, or leave it out"
            ))),
            None => Ok(()),
        }
    }

    fn check_size(&self, size: Size) -> Result<(), Error> {
        let (fields, at) = (&self.fields, self.at(size));
        let rows = at.build_rows.is_some() || at.probe_rows.is_some();
        let stray = [
            (
                "build_rows and probe_rows",
                rows && (fields.tpch.is_some() || fields.ladder.is_some() || self.is_tables()),
            ),
            (
                "scale_factor",
                at.scale_factor.is_some() && fields.tpch.is_none(),
            ),
            ("rungs", at.rungs.is_some() && fields.ladder.is_none()),
        ];
        if let Some((field, _)) = stray.iter().find(|(_, stray)| *stray) {
            return Err(self.invalid(format!(
                "[{size}] has {field}, which this kind of workload does not have; leave it out"
            )));
        }
        if let Some(ladder) = fields.ladder {
            let Rungs { from, to, step } = at.rungs.unwrap_or(ladder.rungs);
            if from > to || to >= u32::BITS || step == 0 {
                return Err(self.invalid(format!(
                    "the rungs from {from} to {to} in steps of {step} at size {size} are none; \
                     from must not exceed to, to be at most 31, step at least 1"
                )));
            }
        }
        if let Some(tpch) = fields.tpch {
            let scale_factor = at.scale_factor.unwrap_or(tpch.scale_factor);
            // Beyond, `lineitem` has more rows than there are row ids.
            if !(0.0001..=700.0).contains(&scale_factor) {
                return Err(self.invalid(format!(
                    "the scale factor {scale_factor} at size {size} is outside of 0.0001..700"
                )));
            }
        }
        if !self.is_tables() {
            self.instances(size)?;
        }
        Ok(())
    }

    fn share(&self, what: &str, share: f64) -> Result<(), Error> {
        if (0.0..=1.0).contains(&share) {
            return Ok(());
        }
        Err(self.invalid(format!(
            "{what} is {share}; a share is a number from 0 to 1"
        )))
    }

    fn invalid(&self, what: impl Into<String>) -> Error {
        Error::invalid(&self.origin.file, what)
    }
}
