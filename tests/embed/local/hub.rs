//! Files from the hub, which a small server plays with the prepared files.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use kindred::embed::{Embedder, LocalEmbedder};

use super::{WHOLE, prepared, settings, whole};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Serves `/<owner>/<model>/resolve/main/<file>` from a folder, as the hub does, and counts what it sent.
struct Hub {
    url: String,
    sent: Arc<AtomicUsize>,
}

impl Hub {
    fn start(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = sent.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, counter) = (folder.clone(), counter.clone());
                // A client that goes away is not the server's business.
                thread::spawn(move || serve(&stream, &folder, &counter).ok());
            }
        });
        Self { url, sent }
    }
}

fn serve(stream: &TcpStream, folder: &Path, sent: &AtomicUsize) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut range = None;
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        range = line.strip_prefix("range: bytes=").map(str::to_owned).or(range);
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let file = path.split_once("/resolve/main/").map(|(_, file)| folder.join(file));
    let Some(bytes) = file.and_then(|file| fs::read(file).ok()) else {
        return (&mut &*stream).write_all(
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
    };
    let (first, last) = within(range.as_deref(), bytes.len());
    let part = &bytes[first..=last];
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nx-repo-commit: {COMMIT}\r\netag: \"{:x}-{}\"\r\naccept-ranges: bytes\r\n\
         content-range: bytes {first}-{last}/{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        path.len(),
        bytes.len(),
        bytes.len(),
        part.len(),
    );
    sent.fetch_add(part.len(), Ordering::SeqCst);
    (&mut &*stream).write_all(head.as_bytes())?;
    (&mut &*stream).write_all(part)
}

/// The first and the last byte that a request asks for.
fn within(range: Option<&str>, length: usize) -> (usize, usize) {
    let (first, last) = range.and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let last = last.trim().parse().unwrap_or(length - 1);
    (first.parse().unwrap_or(0), last.min(length - 1))
}

/// `HF_ENDPOINT` is read from the environment, so this test starts itself again with it.
#[tokio::test]
async fn a_model_comes_from_the_hub_once_and_is_kept() {
    let Some((folder, _)) = prepared() else { return };
    let name = "local::hub::a_model_comes_from_the_hub_once_and_is_kept";
    if let Some(cache) = std::env::var_os("KINDRED_TEST_CACHE") {
        return fetch(Path::new(&cache)).await;
    }
    let cache = std::env::temp_dir().join(format!("kindred-hub-{}", std::process::id()));
    let hub = Hub::start(folder.join(WHOLE));
    let again = |url: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--nocapture"]).env("KINDRED_TEST_CACHE", &cache);
        command.env("HF_ENDPOINT", url).env_remove("HF_HOME").env_remove("HF_TOKEN");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    again(&hub.url);
    let size = fs::metadata(folder.join(WHOLE).join("model.onnx")).unwrap().len();
    assert!(hub.sent.load(Ordering::SeqCst) as u64 > size, "the model was fetched");
    let sent = hub.sent.load(Ordering::SeqCst);
    again(&hub.url);
    assert_eq!(hub.sent.load(Ordering::SeqCst), sent, "and fetched once");
    fs::remove_dir_all(cache).unwrap();
}

async fn fetch(cache: &Path) {
    let (_, library) = prepared().unwrap();
    let mut settings = settings(None, Some(&library));
    settings.cache_dir = cache.to_path_buf();
    let fetched = LocalEmbedder::new(&settings, None).unwrap();
    let vector = fetched.embed_query("a river").await.unwrap().vector;
    assert_eq!(vector, whole().unwrap().embed_query("a river").await.unwrap().vector);
}

#[tokio::test]
async fn without_the_hub_the_message_says_what_to_do() {
    if prepared().is_none() {
        return;
    }
    let name = "local::hub::without_the_hub_the_message_says_what_to_do";
    if std::env::var_os("KINDRED_TEST_OFFLINE").is_none() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        // Nothing listens on the port that a test has just given back.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        command.args(["--exact", name, "--nocapture"]).env("KINDRED_TEST_OFFLINE", "yes");
        command.env("HF_ENDPOINT", format!("http://127.0.0.1:{port}")).env_remove("HF_HOME");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let (_, library) = prepared().unwrap();
    let embedder = LocalEmbedder::new(&settings(None, Some(&library)), None).unwrap();
    let error = embedder.embed_query("text").await.unwrap_err();
    let message = error.to_string();
    assert!(error.is_of_the_model(), "{message}");
    assert!(message.contains(WHOLE) && message.contains("LOCAL_MODEL_DIR"), "{message}");
}
