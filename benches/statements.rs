//! Counts statements: a way to the database that reads along.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Result;
use crate::database::Database;

/// A listener that passes everything on to a database and counts the statements.
pub(crate) struct Counter {
    /// The database by way of this counter.
    pub(crate) database: Database,
    count: Arc<AtomicU32>,
}

impl Counter {
    pub(crate) async fn start(database: &Database) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let count = Arc::new(AtomicU32::new(0));
        let (counted, address) = (count.clone(), database.address());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A connection that breaks off ends like any other.
                tokio::spawn(pass_on(client, address.clone(), counted.clone()));
            }
        });
        Ok(Self { database: database.through("127.0.0.1", port), count })
    }

    /// Statements so far, without those that only look after the connection.
    pub(crate) fn count(&self) -> f64 {
        f64::from(self.count.load(Ordering::Relaxed))
    }
}

async fn pass_on(client: TcpStream, server: (String, u16), count: Arc<AtomicU32>) -> Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    // The first message has no type.
    let body = message(&mut from_client).await?;
    to_server.write_all(&body).await?;
    loop {
        let kind = from_client.read_u8().await?;
        let body = message(&mut from_client).await?;
        // Searches are prepared statements, which `Execute` runs; the pool tests a connection and
        // rolls back with a plain `Query`.
        count.fetch_add(u32::from(kind == b'E'), Ordering::Relaxed);
        to_server.write_all(&[&[kind], body.as_slice()].concat()).await?;
    }
}

/// A message with its length in front.
async fn message(from: &mut (impl AsyncReadExt + Unpin)) -> Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut body = length.to_be_bytes().to_vec();
    body.resize(usize::try_from(length)?, 0);
    from.read_exact(&mut body[4..]).await?;
    Ok(body)
}
