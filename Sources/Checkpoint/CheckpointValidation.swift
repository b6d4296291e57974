extension Checkpoint {
    /// Checks that every tensor of the layout is there with its shape, and that its dtype can take its place: any
    /// dtype that kernels read for matrices (FP8 with its scales), a plain one for vectors. Which of them a matrix has
    /// is the files' choice: bf16 copies of an FP8 model often keep its config. Maps every shard that holds one of the
    /// tensors; reads only headers.
    /// - Throws: `CheckpointError` for the first tensor, in the layout's order, that does not fit.
    package func validate(_ layout: ModelLayout) throws(CheckpointError) {
        for spec in layout.tensors where !spec.isScale {
            if spec.shape.count == 2 {
                try checkMatrix(spec.name, rows: spec.shape[0], columns: spec.shape[1])
            } else {
                try checkVector(spec.name, count: spec.shape[0])
            }
        }
    }
}
