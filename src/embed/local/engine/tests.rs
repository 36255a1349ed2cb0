//! The thread with a model that does what a test says.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Waker};

use super::*;

/// What takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(30);
const SPARE_AFTER_IN_TESTS: Duration = Duration::from_millis(200);
/// A text that breaks the model.
const BROKEN: &str = "broken";
/// A length, so that batches come in the order of the lengths.
const TOGETHER: Limits = Limits { texts: 2, padded_tokens: 1_000 };

/// What the test holds of the model.
struct Script {
    engine: Engine,
    /// The texts of each call, when it begins.
    begun: Receiver<Vec<String>>,
    /// Lets one call end.
    permit: Sender<()>,
    loads: Arc<AtomicUsize>,
    unloaded: Receiver<()>,
}

struct Scripted {
    begun: Sender<Vec<String>>,
    permits: Arc<Mutex<Receiver<()>>>,
    unloaded: Sender<()>,
}

impl Model for Scripted {
    fn read(&mut self, text: &str, _role: Role) -> Result<Reading, Error> {
        let tokens = text.len();
        Ok(Reading { tokens, read: tokens.min(100), is_known: !text.is_empty() })
    }

    fn embed(&mut self, texts: &[&str], _role: Role) -> Result<Vec<Option<Vec<f32>>>, Error> {
        let names = texts.iter().map(|text| (*text).to_owned()).collect();
        self.begun.send(names).expect("the test is there");
        let permits = self.permits.lock().unwrap_or_else(PoisonError::into_inner);
        permits.recv_timeout(PATIENCE).expect("the test permits it");
        assert!(!texts.contains(&BROKEN), "as the test wants it");
        let length = |text: &&str| u16::try_from(text.len()).expect("texts of tests are short");
        Ok(texts.iter().map(|text| Some(vec![f32::from(length(text))])).collect())
    }

    fn embed_alone(
        &mut self,
        text: &str,
        role: Role,
    ) -> Result<(Reading, Option<Vec<f32>>), Error> {
        let reading = self.read(text, role)?;
        match reading.is_known {
            true => Ok((reading, self.embed(&[text], role)?.pop().flatten())),
            false => Ok((reading, None)),
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        // The test may have ended before the model does.
        self.unloaded.send(()).ok();
    }
}

impl Script {
    fn new(limits: Limits, unload_after: Duration) -> Self {
        Self::with_threads(limits, 1, unload_after)
    }

    fn with_threads(limits: Limits, threads: usize, unload_after: Duration) -> Self {
        let (begun, begins) = mpsc::channel();
        let (permit, permits) = mpsc::channel();
        let (unloaded, unloads) = mpsc::channel();
        let (permits, loads) = (Arc::new(Mutex::new(permits)), Arc::new(AtomicUsize::new(0)));
        let counter = loads.clone();
        let load: Load = Box::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let (begun, permits, unloaded) = (begun.clone(), permits.clone(), unloaded.clone());
            let model: Box<dyn Model> = Box::new(Scripted { begun, permits, unloaded });
            Ok(model)
        });
        let engine = Engine::with_spare(load, limits, threads, unload_after, SPARE_AFTER_IN_TESTS);
        Self { engine, begun: begins, permit, loads, unloaded: unloads }
    }

    #[track_caller]
    fn begins(&self, texts: &[&str]) {
        assert_eq!(self.begun.recv_timeout(PATIENCE).as_deref(), Ok(&*owned(texts)));
    }

    fn permit(&self, calls: usize) {
        for _ in 0..calls {
            self.permit.send(()).expect("the model is there");
        }
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Puts a call in line.
#[track_caller]
fn begin<T>(call: &mut Pin<Box<impl Future<Output = T>>>) {
    let poll = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Pending), "nothing is computed yet");
}

/// The only number of each vector.
fn numbers(embeddings: &[Embedding]) -> Vec<Option<f32>> {
    embeddings.iter().map(|one| one.vector.as_ref().map(|vector| vector[0])).collect()
}

#[tokio::test]
async fn a_search_text_goes_ahead_of_the_documents_that_are_left() {
    let script = Script::new(TOGETHER, Duration::ZERO);
    let texts = owned(&["a", "bbb", "cccc", "dd", "eeeee"]);
    let mut documents = Box::pin(script.engine.embed_documents(&texts));
    begin(&mut documents);
    script.begins(&["eeeee", "cccc"]);
    let mut query = Box::pin(script.engine.embed_query("query"));
    begin(&mut query);
    script.permit(2);
    script.begins(&["query"]);
    assert_eq!(query.await.unwrap().vector, Some(vec![5.0]));
    script.permit(2);
    script.begins(&["bbb", "dd"]);
    script.begins(&["a"]);
    let expected = [1.0, 3.0, 4.0, 2.0, 5.0].map(Some);
    assert_eq!(numbers(&documents.await.unwrap()), expected);
}

#[tokio::test]
async fn search_texts_that_wait_are_computed_together() {
    let script = Script::new(TOGETHER, Duration::ZERO);
    let mut first = Box::pin(script.engine.embed_query("first"));
    begin(&mut first);
    script.begins(&["first"]);
    let mut others =
        ["second", "third", "fourth"].map(|text| Box::pin(script.engine.embed_query(text)));
    others.iter_mut().for_each(begin);
    script.permit(3);
    script.begins(&["second", "third"]);
    script.begins(&["fourth"]);
    for (call, length) in others.into_iter().zip([6.0, 5.0, 6.0]) {
        assert_eq!(call.await.unwrap().vector, Some(vec![length]));
    }
}

#[tokio::test]
async fn a_model_that_needs_texts_alone_gets_them_alone() {
    let script = Script::new(Limits::ALONE, Duration::ZERO);
    let mut first = Box::pin(script.engine.embed_query("first"));
    begin(&mut first);
    script.begins(&["first"]);
    let mut second = Box::pin(script.engine.embed_query("second"));
    let texts = owned(&["one", "three"]);
    let mut documents = Box::pin(script.engine.embed_documents(&texts));
    begin(&mut second);
    begin(&mut documents);
    script.permit(4);
    for expected in ["second", "three", "one"] {
        script.begins(&[expected]);
    }
    assert_eq!(numbers(&documents.await.unwrap()), [Some(3.0), Some(5.0)]);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_ends_with_the_batch_under_way() {
    let script = Script::new(Limits::ALONE, Duration::ZERO);
    let texts = owned(&["aaa", "bb", "c"]);
    let mut documents = Box::pin(script.engine.embed_documents(&texts));
    begin(&mut documents);
    script.begins(&["aaa"]);
    drop(documents);
    let mut gone = Box::pin(script.engine.embed_query("gone"));
    begin(&mut gone);
    drop(gone);
    script.permit(2);
    assert!(script.engine.embed_query("after").await.is_ok());
    script.begins(&["after"]);
}

#[tokio::test]
async fn a_panic_is_an_error_and_what_waits_gets_a_new_thread() {
    let script = Script::new(Limits::ALONE, Duration::ZERO);
    let texts = owned(&[BROKEN]);
    let mut documents = Box::pin(script.engine.embed_documents(&texts));
    begin(&mut documents);
    script.begins(&[BROKEN]);
    let mut waiting = Box::pin(script.engine.embed_query("waiting"));
    begin(&mut waiting);
    script.permit(3);
    assert!(matches!(documents.await, Err(Error::Panicked)));
    assert_eq!(waiting.await.unwrap().vector, Some(vec![7.0]));
    assert_eq!(script.engine.embed_query("after").await.unwrap().vector, Some(vec![5.0]));
    assert_eq!(script.loads(), 2);
}

#[tokio::test]
async fn a_model_that_rests_leaves_memory_and_comes_back_with_the_next_text() {
    let script = Script::new(Limits::ALONE, Duration::from_millis(1));
    script.permit(2);
    assert!(script.engine.embed_query("before").await.is_ok());
    assert_eq!(script.unloaded.recv_timeout(PATIENCE), Ok(()));
    assert!(script.engine.embed_query("after").await.is_ok());
    assert_eq!(script.loads(), 2);
}

#[tokio::test]
async fn a_model_is_loaded_with_the_first_text_and_leaves_memory_with_its_owner() {
    let script = Script::new(Limits::ALONE, Duration::ZERO);
    assert_eq!(script.loads(), 0);
    script.permit(2);
    for text in ["one", "two"] {
        assert!(script.engine.embed_query(text).await.is_ok());
    }
    assert_eq!(script.loads(), 1);
    drop(script.engine);
    assert_eq!(script.unloaded.recv_timeout(PATIENCE), Ok(()));
}

#[tokio::test]
async fn a_text_that_occurs_twice_is_computed_once_and_one_without_tokens_never() {
    let script = Script::new(TOGETHER, Duration::ZERO);
    script.permit(1);
    let texts = owned(&["same", "", "same", "other"]);
    let embeddings = script.engine.embed_documents(&texts).await.unwrap();
    assert_eq!(numbers(&embeddings), [Some(4.0), None, Some(4.0), Some(5.0)]);
    script.begins(&["other", "same"]);
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_is_an_error_for_everybody_and_is_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counter = tries.clone();
    let load: Load = Box::new(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        Err(Error::Load("no such file".into()))
    });
    let engine = Engine::new(load, TOGETHER, 1, Duration::ZERO);
    let texts = owned(&["text"]);
    let error = engine.embed_query("text").await.unwrap_err();
    assert!(error.is_of_the_model() && !error.is_transient());
    assert!(engine.embed_documents(&texts).await.unwrap_err().is_of_the_model());
    assert!(engine.count_tokens(&texts).await.unwrap_err().is_of_the_model());
    assert_eq!(tries.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn tokens_are_counted_also_beyond_what_is_read_and_before_documents_that_wait() {
    let script = Script::new(Limits::ALONE, Duration::ZERO);
    let texts = owned(&["aaa", "bb"]);
    let mut documents = Box::pin(script.engine.embed_documents(&texts));
    begin(&mut documents);
    script.begins(&["aaa"]);
    let long = ["x".repeat(150), String::new()];
    let mut counts = Box::pin(script.engine.count_tokens(&long));
    begin(&mut counts);
    script.permit(1);
    assert_eq!(counts.await.unwrap(), [150, 0]);
    script.begins(&["bb"]);
    script.permit(1);
    assert!(documents.await.is_ok());
}

#[tokio::test]
async fn two_threads_share_a_call_and_a_second_one_starts_only_when_it_has_work() {
    let script = Script::with_threads(Limits::ALONE, 2, Duration::ZERO);
    script.permit(2);
    for text in ["one", "two"] {
        assert!(script.engine.embed_query(text).await.is_ok());
        script.begins(&[text]);
    }
    assert_eq!(script.loads(), 1);
    let texts = owned(&["a", "bb", "ccc"]);
    let mut documents = Box::pin(script.engine.embed_documents(&texts));
    begin(&mut documents);
    // Both have begun before either may end.
    let first = [(); 2].map(|()| script.begun.recv_timeout(PATIENCE).unwrap());
    assert!(first.contains(&owned(&["ccc"])) && first.contains(&owned(&["bb"])), "{first:?}");
    assert_eq!(script.loads(), 2);
    script.permit(3);
    assert_eq!(numbers(&documents.await.unwrap()), [Some(1.0), Some(2.0), Some(3.0)]);
}

#[tokio::test]
async fn a_second_thread_goes_when_documents_have_not_come_for_a_while() {
    let script = Script::with_threads(Limits::ALONE, 2, Duration::ZERO);
    let texts = owned(&["a", "bb"]);
    for round in 1..=2 {
        let mut documents = Box::pin(script.engine.embed_documents(&texts));
        begin(&mut documents);
        for _ in 0..2 {
            script.begun.recv_timeout(PATIENCE).unwrap();
        }
        script.permit(2);
        assert!(documents.await.is_ok());
        assert_eq!(script.loads(), round + 1);
        // One of the two models leaves memory, the other one answers on.
        assert!(script.unloaded.recv_timeout(PATIENCE).is_ok());
        script.permit(1);
        assert!(script.engine.embed_query("query").await.is_ok());
        script.begins(&["query"]);
        assert_eq!(script.loads(), round + 1);
    }
}
