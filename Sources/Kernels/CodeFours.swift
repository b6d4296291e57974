/// Where rows of INT8 stand: of each four 16 columns of each by turns, and by turns their scales (`cohort_matrix`).
struct CodeFours {
    /// [rows, filled up to fours, `stride`]
    let codes: UnsafeMutableRawPointer
    /// [rows, filled up to fours, `scaleCount`]
    let scales: UnsafeMutablePointer<Float>
    /// Columns of a row, filled up.
    let stride: Int
    /// Scales of a row.
    let scaleCount: Int

    /// Puts a row into its place.
    /// - Parameters:
    ///   - rowCodes: [stride], zeros behind the last column.
    ///   - rowScales: [scaleCount]
    func put(_ rowCodes: UnsafeRawPointer, _ rowScales: UnsafePointer<Float>, asRow row: Int) {
        let (four, piece) = (WeightDType.four, WeightDType.piece)
        let (first, place) = (row / four * four, row % four)
        for column in Swift.stride(from: 0, to: stride, by: piece) {
            (codes + first * stride + four * column + piece * place).copyMemory(
                from: rowCodes + column, byteCount: piece)
        }
        for block in 0..<scaleCount { scales[first * scaleCount + four * block + place] = rowScales[block] }
    }
}
