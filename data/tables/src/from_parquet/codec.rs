//! Bytes of pages, unpacked. How long they are to become is believed only as far as the bytes that are there can hold it.

use std::io::Read;

use parquet::basic::Compression;

/// The most that one byte can stand for. Snappy: 64 bytes in three. LZ4: a length of 255 a byte. Zstandard: a block of
/// 128 KiB in four.
const SNAPPY_RATIO: usize = 22;
const LZ4_RATIO: usize = 255;
const ZSTD_RATIO: usize = 1 << 15;

/// Bytes that Brotli reads at once.
const BROTLI_BUFFER: usize = 4096;

/// Says what cannot be read about a codec, and what can.
///
/// # Errors
/// If files of this codec are not read.
pub fn check(codec: Compression) -> Result<(), String> {
    match codec {
        Compression::LZO => Err(
            "it is compressed with LZO, which is not read here; write the file with Zstandard, Snappy, gzip, Brotli, LZ4 or \
             without compression"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

/// Unpacks `packed`, which must become `bytes` bytes.
///
/// # Errors
/// What is wrong: bytes that break the codec, or become more or fewer.
pub fn unpack(codec: Compression, packed: &[u8], bytes: usize) -> Result<Vec<u8>, String> {
    let unpacked = match codec {
        Compression::UNCOMPRESSED => Ok(packed.to_vec()),
        Compression::SNAPPY => snappy(packed, bytes),
        Compression::GZIP(_) => all(flate2::read::MultiGzDecoder::new(packed), bytes),
        Compression::BROTLI(_) => {
            let decoder = brotli_decompressor::Decompressor::new(packed, BROTLI_BUFFER);
            all(decoder, bytes)
        }
        Compression::ZSTD(_) => zstd(packed, bytes),
        Compression::LZ4 => hadoop(packed, bytes).map_or_else(|| lz4(packed, bytes), Ok),
        Compression::LZ4_RAW => lz4(packed, bytes),
        Compression::LZO => Err("LZO is not read".to_owned()),
    }?;
    match unpacked.len() == bytes {
        true => Ok(unpacked),
        false => Err(length(unpacked.len(), bytes)),
    }
}

fn length(found: usize, expected: usize) -> String {
    format!("a page unpacks to {found} bytes, but its header says {expected}")
}

/// Zeros to unpack into, if `packed` bytes can become so many.
fn room(packed: usize, bytes: usize, ratio: usize) -> Result<Vec<u8>, String> {
    // Headers of frames, and what is left of a run.
    const SLACK: usize = 1 << 10;
    if bytes > packed.saturating_mul(ratio).saturating_add(SLACK) {
        return Err(format!(
            "a page of {packed} bytes cannot unpack to {bytes}, which its header says"
        ));
    }
    let mut room = Vec::new();
    room.try_reserve_exact(bytes)
        .map_err(|_| format!("no memory for a page of {bytes} bytes"))?;
    Ok(room)
}

fn snappy(packed: &[u8], bytes: usize) -> Result<Vec<u8>, String> {
    let own = snap::raw::decompress_len(packed).map_err(|error| error.to_string())?;
    if own != bytes {
        return Err(length(own, bytes));
    }
    let mut out = room(packed.len(), bytes, SNAPPY_RATIO)?;
    out.resize(bytes, 0);
    snap::raw::Decoder::new()
        .decompress(packed, &mut out)
        .map_err(|error| error.to_string())?;
    Ok(out)
}

fn zstd(packed: &[u8], bytes: usize) -> Result<Vec<u8>, String> {
    let mut out = room(packed.len(), bytes, ZSTD_RATIO)?;
    let mut decoder = zstd::bulk::Decompressor::new().map_err(|error| error.to_string())?;
    decoder
        .decompress_to_buffer(packed, &mut out)
        .map_err(|error| error.to_string())?;
    Ok(out)
}

/// A block of LZ4 without a frame.
fn lz4(packed: &[u8], bytes: usize) -> Result<Vec<u8>, String> {
    let mut out = room(packed.len(), bytes, LZ4_RATIO)?;
    out.resize(bytes, 0);
    let found = lz4_flex::block::decompress_into(packed, &mut out);
    let found = found.map_err(|error| error.to_string())?;
    out.truncate(found);
    Ok(out)
}

/// Blocks of LZ4 as Hadoop frames them: the length unpacked and the length packed before each, most significant byte first.
fn hadoop(packed: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = packed;
    while !rest.is_empty() {
        let (unpacked, after) = rest.split_first_chunk()?;
        let (packed, after) = after.split_first_chunk()?;
        let (block, after) = after.split_at_checked(u32::from_be_bytes(*packed) as usize)?;
        let unpacked = u32::from_be_bytes(*unpacked) as usize;
        if unpacked > bytes - out.len() {
            return None;
        }
        let block = lz4(block, unpacked).ok()?;
        out.extend_from_slice(&block);
        (block.len() == unpacked).then_some(())?;
        rest = after;
    }
    (out.len() == bytes).then_some(out)
}

/// All that a decoder gives, and at most a byte more than expected.
fn all(decoder: impl Read, bytes: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    decoder
        .take(bytes as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|error| error.to_string())?;
    Ok(out)
}
