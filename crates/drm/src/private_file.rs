//! Files that hold secrets: only their owner may use them. Reasons name nothing that is in them, and leave naming the
//! file to the caller.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

/// Reads a file of at most `maximum` bytes that only its owner may use. `None` where there is no file.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read(path: &Path, maximum: usize) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    // Looked at before it is opened, because to open a named pipe waits for its writer.
    match fs_err::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err("it is no regular file".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(_) | Err(_) => {}
    }
    let file = match fs_err::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err("this user may not read it".to_owned());
        }
        opened => opened.map_err(|error| error.to_string())?,
    };
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("others than its owner may use it (mode {mode:03o}): chmod 600 it"));
    }
    let size = metadata.len();
    let Some(size) = usize::try_from(size).ok().filter(|size| *size <= maximum) else {
        return Err(format!("it has {size} bytes, and may have {maximum}"));
    };
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(size + 1));
    file.take(size as u64 + 1).read_to_end(&mut content).map_err(|error| error.to_string())?;
    if content.len() != size {
        return Err("it changed while it was read".to_owned());
    }
    Ok(Some(content))
}

/// Makes a file that only its owner may use, whole or not at all. Where another process makes it at the same time, one of
/// them wins; whatever stands there afterwards is what counts.
///
/// # Errors
/// It could not be written.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Temporary files have mode 0600 from the start.
    let mut file = tempfile::Builder::new().prefix(".secret-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => fs_err::File::open(folder)?.sync_all(),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}
