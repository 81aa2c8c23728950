//! The pages of a column chunk, checked and unpacked for the library's decoders. A reader of our own, because the library
//! makes as much room as a header asks for, and checks no checksum of a page whose header it skips.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type as Physical};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::ColumnDescPtr;

use super::damage::to_parquet;
use super::deltas::Deltas;
use super::header::{Header, PageKind};
use super::{codec, counts};

/// Hands out the pages of one column in one row group.
pub struct Pages {
    input: BufReader<Arc<File>>,
    column: ColumnDescPtr,
    codec: Compression,
    /// Bytes of the chunk that are still to come.
    bytes: u64,
    /// Rows of the row group that are still to come.
    rows: u64,
}

impl Pages {
    /// The pages of `chunk`, which has `rows` rows.
    ///
    /// # Errors
    /// If the chunk does not lie in the file, or the system refuses.
    pub fn new(file: &Arc<File>, chunk: &ColumnChunkMetaData, rows: u64) -> Result<Pages> {
        let size = file.metadata().map_err(of_io)?.len();
        let first = match chunk.dictionary_page_offset() {
            Some(dictionary) if dictionary > 0 => dictionary.min(chunk.data_page_offset()),
            _ => chunk.data_page_offset(),
        };
        let range = u64::try_from(first)
            .ok()
            .zip(u64::try_from(chunk.compressed_size()).ok());
        let Some((first, bytes)) =
            range.filter(|&(first, bytes)| bytes <= size.saturating_sub(first))
        else {
            return Err(broken("it does not lie in the file"));
        };
        let mut input = BufReader::new(Arc::clone(file));
        input.seek(SeekFrom::Start(first)).map_err(of_io)?;
        Ok(Pages {
            input,
            column: chunk.column_descr_ptr(),
            codec: chunk.compression(),
            bytes,
            rows,
        })
    }

    /// The header of the next page, and its bytes as they are in the file.
    fn read(&mut self) -> Result<(Header, Vec<u8>)> {
        let header = Header::read(self.input.by_ref().take(self.bytes));
        let (header, length) = header.map_err(|fault| to_parquet("the header of a page", fault))?;
        self.bytes -= length;
        if header.packed as u64 > self.bytes {
            return Err(broken("a page is longer than what is left of the column"));
        }
        self.bytes -= header.packed as u64;
        let mut packed = vec![0; header.packed];
        self.input.read_exact(&mut packed).map_err(of_io)?;
        if header
            .crc
            .is_some_and(|crc| crc != crc32fast::hash(&packed))
        {
            return Err(broken("a page has another checksum than its header says"));
        }
        Ok((header, packed))
    }

    /// Takes `values` off the rows that are still to come.
    fn count(&mut self, values: u32) -> Result<()> {
        self.rows = self.rows.checked_sub(values.into()).ok_or_else(|| {
            broken(format!(
                "a page has {values} rows, but the row group only {} more",
                self.rows
            ))
        })?;
        Ok(())
    }

    /// The bytes of a page, of which the first `plain` are not packed.
    fn unpack(&self, mut packed: Vec<u8>, plain: usize, unpacked: usize) -> Result<Bytes> {
        if self.codec == Compression::UNCOMPRESSED {
            return plain_page(packed, unpacked);
        }
        let (Some(values), Some(bytes)) = (packed.get(plain..), unpacked.checked_sub(plain)) else {
            return Err(shorter());
        };
        if bytes == 0 {
            packed.truncate(plain);
            return Ok(packed.into());
        }
        let values = codec::unpack(self.codec, values, bytes).map_err(broken)?;
        if plain == 0 {
            return Ok(values.into());
        }
        packed.truncate(plain);
        packed.extend(values);
        Ok(packed.into())
    }

    /// Checks the values of a page, and which rows have one: `levels` and what follows them.
    fn check(&self, levels: &[u8], encoded: &[u8], encoding: Encoding, rows: u32) -> Result<()> {
        counts::runs(levels, 1, rows).map_err(broken)?;
        let width = match self.column.physical_type() {
            Physical::INT32 | Physical::FLOAT => Some(4),
            Physical::INT64 | Physical::DOUBLE => Some(8),
            Physical::FIXED_LEN_BYTE_ARRAY => usize::try_from(self.column.type_length()).ok(),
            _ => None,
        };
        counts::values(encoding, encoded, rows, width).map_err(broken)
    }

    /// The page with its values in an encoding that the library reads: `encoded` is the end of `page`.
    fn narrowed(
        &self,
        encoding: Encoding,
        encoded: &[u8],
        page: &Bytes,
        values: u32,
    ) -> Result<(Encoding, Bytes)> {
        if (encoding, self.column.physical_type())
            != (Encoding::DELTA_BINARY_PACKED, Physical::INT32)
        {
            return Ok((encoding, page.clone()));
        }
        let plain = Deltas::new(encoded, values).wide_int32s().map_err(broken)?;
        Ok(match plain {
            Some(plain) => {
                let levels = &page[..page.len() - encoded.len()];
                (Encoding::PLAIN, [levels, &plain].concat().into())
            }
            None => (encoding, page.clone()),
        })
    }

    /// The levels of a page of the first version, as far as they are runs, and the values behind them.
    fn split<'a>(
        &self,
        page: &'a [u8],
        rows: u32,
        levels: Encoding,
    ) -> Option<(&'a [u8], &'a [u8])> {
        if self.column.max_def_level() == 0 {
            return Some((&[], page));
        }
        match levels {
            Encoding::RLE => {
                let (length, page) = page.split_first_chunk()?;
                page.split_at_checked(u32::from_le_bytes(*length) as usize)
            }
            // Bit-packed: a column that is not in another one has one bit per row.
            _ => Some((&[], page.get(rows.div_ceil(8) as usize..)?)),
        }
    }

    /// The next page that has something in it.
    fn next_page(&mut self) -> Result<Option<Page>> {
        while self.rows > 0 && self.bytes > 0 {
            let (header, packed) = self.read()?;
            match header.page {
                PageKind::Index => {}
                PageKind::Dictionary { values, encoding } => {
                    let buf = self.unpack(packed, 0, header.unpacked)?;
                    let (physical, length) =
                        (self.column.physical_type(), self.column.type_length());
                    counts::dictionary(values, buf.len(), physical, length).map_err(broken)?;
                    return Ok(Some(Page::DictionaryPage {
                        buf,
                        num_values: values,
                        encoding,
                        is_sorted: false,
                    }));
                }
                // The library takes a page without values for the end.
                PageKind::Data { values: 0, .. } | PageKind::DataV2 { values: 0, .. } => {}
                PageKind::Data {
                    values,
                    encoding,
                    levels,
                } => {
                    self.count(values)?;
                    let buf = self.unpack(packed, 0, header.unpacked)?;
                    let parts = self.split(&buf, values, levels);
                    let (runs, encoded) = parts.ok_or_else(shorter)?;
                    self.check(runs, encoded, encoding, values)?;
                    let (encoding, buf) = self.narrowed(encoding, encoded, &buf, values)?;
                    return Ok(Some(Page::DataPage {
                        buf,
                        num_values: values,
                        encoding,
                        def_level_encoding: levels,
                        rep_level_encoding: Encoding::RLE,
                        statistics: None,
                    }));
                }
                PageKind::DataV2 {
                    values,
                    nulls,
                    rows,
                    encoding,
                    definition,
                    repetition,
                    packed: is_packed,
                } => {
                    self.count(values)?;
                    if repetition > 0 || definition > 0 && self.column.max_def_level() == 0 {
                        return Err(broken("a page has levels that its column cannot have"));
                    }
                    let levels = definition as usize;
                    let buf = match is_packed {
                        true => self.unpack(packed, levels, header.unpacked)?,
                        false => plain_page(packed, header.unpacked)?,
                    };
                    let (runs, encoded) = buf.split_at_checked(levels).ok_or_else(shorter)?;
                    self.check(runs, encoded, encoding, values)?;
                    let (encoding, buf) = self.narrowed(encoding, encoded, &buf, values)?;
                    return Ok(Some(Page::DataPageV2 {
                        buf,
                        num_values: values,
                        encoding,
                        num_nulls: nulls,
                        num_rows: rows,
                        def_levels_byte_len: definition,
                        rep_levels_byte_len: repetition,
                        is_compressed: false,
                        statistics: None,
                    }));
                }
            }
        }
        Ok(None)
    }
}

fn shorter() -> ParquetError {
    broken("a page is shorter than its levels")
}

/// A page that is not packed, and so has the length that its header says it would unpack to.
fn plain_page(page: Vec<u8>, unpacked: usize) -> Result<Bytes> {
    match page.len() == unpacked {
        true => Ok(page.into()),
        false => Err(broken(format!(
            "a page that is not compressed has {} bytes, but its header says {unpacked}",
            page.len()
        ))),
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Result<Page>> {
        self.next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.next_page()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Err(unasked())
    }

    fn skip_next_page(&mut self) -> Result<()> {
        Err(unasked())
    }
}

/// No row is ever skipped, and no column lies in another one.
fn unasked() -> ParquetError {
    ParquetError::NYI("pages are read one after the other".to_owned())
}

fn broken(what: impl ToString) -> ParquetError {
    ParquetError::General(what.to_string())
}

fn of_io(error: io::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
