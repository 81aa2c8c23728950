//! What becomes of the columns of a Parquet file.

use join_core::page::DataType;
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use super::convert::Conversion;
use super::meaning::Meaning;
use crate::names;
use crate::selection::{Selected, select};
use crate::{Decimals, Options};

/// A column that is imported.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its number among the file's leaves.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// How its values are converted.
    pub conversion: Conversion,
    /// What they stand for.
    pub meaning: Meaning,
    /// Bytes of each value, where all are of one length.
    pub length: Option<usize>,
}

/// Decides for each selected column what becomes of it.
///
/// # Errors
/// What is wrong, without the file: a column that is selected and has no counterpart in a table folder.
pub fn plan(schema: &SchemaDescriptor, options: &Options) -> Result<Vec<Planned>, String> {
    let fields = schema.root_schema().get_fields();
    if fields.is_empty() {
        return Err(
            "the file has no column, and a table without columns no rows; write a column"
                .to_owned(),
        );
    }
    let names: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
    let selected = select(&names, options)?;
    selected.into_iter().map(|column| {
        let field = &fields[column.index];
        let Selected { name, asked, .. } = column;
        let leaf = (0..schema.num_columns()).find(|&leaf| schema.get_column_root_idx(leaf) == column.index);
        let natural = natural(field, options.decimals);
        let (Some(index), Some(natural)) = (leaf, natural) else {
            return Err(format!(
                "column {name:?} is {}, which no table folder can hold; {}",
                describe(field),
                way_out(fields, options.decimals)
            ));
        };
        let target = asked.unwrap_or(natural.target);
        if target != natural.target && !(is_integer(natural) && target != DataType::Varchar) {
            return Err(format!(
                "column {name:?} is {}, which becomes {} and cannot become {target}; leave it out of --types",
                describe(field),
                natural.target
            ));
        }
        let length = match **field {
            Type::PrimitiveType { physical_type: Physical::FIXED_LEN_BYTE_ARRAY, type_length, .. } => {
                usize::try_from(type_length).ok()
            }
            _ => None,
        };
        let meaning = match (natural.scale, natural.decimals) {
            (Some(scale), Decimals::Scaled) => Meaning::Scaled(scale),
            (Some(_), _) => Meaning::Plain,
            (None, _) => Meaning::of(field),
        };
        Ok(Planned { index, name, conversion: Conversion { target, ..natural }, meaning, length })
    }).collect()
}

/// What to do about a column that cannot be imported.
fn way_out(fields: &[TypePtr], decimals: Decimals) -> String {
    let others = fields
        .iter()
        .filter(|field| natural(field, decimals).is_some())
        .map(|field| field.name());
    match names::argument(others) {
        others if others.is_empty() => {
            "convert it, as the file has no column that can be imported".to_owned()
        }
        others => format!("leave it out with --columns {others}"),
    }
}

/// Whether all values are integers, so that any numeric type may be asked for.
fn is_integer(conversion: Conversion) -> bool {
    matches!(conversion.target, DataType::Int32 | DataType::Int64) && conversion.scale.is_none()
}

/// What becomes of a column of which nothing was said; `None` if nothing can.
fn natural(field: &Type, decimals: Decimals) -> Option<Conversion> {
    let info = field.get_basic_info();
    let &Type::PrimitiveType {
        physical_type,
        scale,
        ..
    } = field
    else {
        return None;
    };
    if info.repetition() == Repetition::REPEATED {
        return None;
    }
    let known = !matches!(
        info.logical_type_ref(),
        Some(
            LogicalType::Uuid
                | LogicalType::Float16
                | LogicalType::Variant(_)
                | LogicalType::Geometry(_)
                | LogicalType::Geography(_)
                | LogicalType::File
                | LogicalType::_Unknown { .. }
        )
    );
    let plain = |target| Conversion {
        target,
        unsigned: false,
        bits: None,
        utf8: false,
        scale: None,
        decimals,
    };
    let conversion = match (physical_type, info.converted_type()) {
        _ if !known => return None,
        (_, ConvertedType::INTERVAL) => return None,
        (
            Physical::INT32
            | Physical::INT64
            | Physical::BYTE_ARRAY
            | Physical::FIXED_LEN_BYTE_ARRAY,
            ConvertedType::DECIMAL,
        ) => {
            let scale = u32::try_from(scale).ok()?;
            let target = match (scale, decimals) {
                (0, _) | (_, Decimals::Scaled) => DataType::Int64,
                _ => DataType::Fp64,
            };
            Conversion {
                scale: (scale > 0).then_some(scale),
                ..plain(target)
            }
        }
        (Physical::BOOLEAN, _) => plain(DataType::Int32),
        (Physical::INT32, narrow @ (ConvertedType::UINT_8 | ConvertedType::UINT_16)) => {
            Conversion {
                unsigned: true,
                bits: Some(if narrow == ConvertedType::UINT_8 {
                    8
                } else {
                    16
                }),
                ..plain(DataType::Int32)
            }
        }
        (Physical::INT32, narrow @ (ConvertedType::INT_8 | ConvertedType::INT_16)) => Conversion {
            bits: Some(if narrow == ConvertedType::INT_8 {
                8
            } else {
                16
            }),
            ..plain(DataType::Int32)
        },
        (Physical::INT32, ConvertedType::UINT_32) | (Physical::INT64, ConvertedType::UINT_64) => {
            Conversion {
                unsigned: true,
                ..plain(DataType::Int64)
            }
        }
        (Physical::INT32, _) => plain(DataType::Int32),
        (Physical::INT64 | Physical::INT96, _) => plain(DataType::Int64),
        (Physical::FLOAT | Physical::DOUBLE, _) => plain(DataType::Fp64),
        (Physical::BYTE_ARRAY, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON) => {
            Conversion {
                utf8: true,
                ..plain(DataType::Varchar)
            }
        }
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, _) => plain(DataType::Varchar),
    };
    Some(conversion)
}

/// The type of a column as its users call it.
fn describe(field: &Type) -> String {
    let info = field.get_basic_info();
    let logical = match info.logical_type_ref() {
        Some(logical) => format!("{logical:?}"),
        None if info.converted_type() != ConvertedType::NONE => info.converted_type().to_string(),
        None => String::new(),
    };
    let repeated = info.has_repetition() && info.repetition() == Repetition::REPEATED;
    let physical = match field {
        _ if repeated => "a repeated field".to_owned(),
        Type::GroupType { .. } => "a group of fields".to_owned(),
        Type::PrimitiveType {
            physical_type: Physical::FIXED_LEN_BYTE_ARRAY,
            type_length,
            ..
        } => format!("FIXED_LEN_BYTE_ARRAY({type_length})"),
        Type::PrimitiveType { physical_type, .. } => physical_type.to_string(),
    };
    match logical.is_empty() {
        true => physical,
        false => format!("{physical} ({logical})"),
    }
}
