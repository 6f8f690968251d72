#![allow(clippy::all, clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]
#[path = "all/bucket.rs"]
#[allow(dead_code)]
mod bucket;
use std::time::Instant;
struct W(Instant);
impl transfer::Watch for W { fn progress(&self, d: u64, t: u64) { if d == t || d % 50_000_000 < 4_000_000 { println!("{:?} {}/{}", self.0.elapsed(), d, t); } } }
#[test]
fn speed() {
    let b = bucket::Bucket::default();
    let n = 1u64 << 20;
    let mut s = String::new();
    for i in 0..n { s += &format!("v{i},node\n"); }
    b.put("vertices.csv", s.as_bytes());
    let mut s = String::new();
    let mut x = 88172645463325252u64;
    for _ in 0..10_000_000 { x ^= x << 13; x ^= x >> 7; x ^= x << 17; s += &format!("v{},v{},link\n", x % n, (x >> 32) % n); }
    b.put("edges.csv", s.as_bytes());
    let g = bucket::graph(model::SchemaMode::Open, &[]);
    let load = g.bulk_load(store::BulkOptions::default()).unwrap();
    let t = Instant::now();
    let r = transfer::import(load, &bucket::both(), b.as_files(), &W(t)).unwrap();
    println!("{:?} {:?}", t.elapsed(), r.loaded);
}
