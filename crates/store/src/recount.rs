use model::{Content, IdHash, RecordHash, Vid};
use rayon::prelude::*;

use crate::error::Error;
use crate::part::{chunk_of, slot_of};
use crate::state::GraphState;

/// Counts and sums a state from its rows and edges, with all cores. Memory: some 17 bytes for each
/// place of a range that has vertices; numbers alone cost nothing, as an archive may claim any.
pub(crate) fn recount(state: &GraphState) -> Result<Content, Error> {
    let chunks: Vec<u32> = (0..state.chunks()).collect();
    let rows = chunks.par_iter().map(|chunk| {
        let mut content = Content::default();
        let mut ids: Vec<Option<IdHash>> = Vec::new();
        for (vid, vertex) in state.chunk_vertices(*chunk)? {
            content.add_vertex(&vertex.labels, RecordHash::of_vertex(&vertex, &state.schema));
            ids.resize(slot_of(vid), None);
            ids.push(Some(IdHash::of(&vertex.id)));
        }
        Ok((content, ids))
    });
    let rows = rows.collect::<Result<Vec<_>, Error>>()?;
    let mut content = Content::default();
    let mut hashes = Vec::with_capacity(rows.len());
    for (part, ids) in rows {
        content.merge(&part);
        hashes.push(ids);
    }
    let hash = |vid: Vid| {
        let hash = hashes.get(chunk_of(vid) as usize).and_then(|ids| *ids.get(slot_of(vid))?);
        hash.ok_or_else(|| Error::corrupt("an edge", format!("its end #{} is no vertex", vid.0)))
    };
    let edges = chunks.par_iter().map(|chunk| {
        let mut content = Content::default();
        for (edge, props) in state.chunk_edges(*chunk)? {
            let (source, target) = (hash(edge.source)?, hash(edge.target)?);
            let record = RecordHash::of_edge(source, target, edge.label, &props, &state.schema);
            content.add_edge(edge.label, record);
        }
        Ok(content)
    });
    for part in edges.collect::<Result<Vec<_>, Error>>()? {
        content.merge(&part);
    }
    Ok(content)
}
