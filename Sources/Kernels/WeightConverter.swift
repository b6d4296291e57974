/// Makes matrices of one dtype of those of another as they are loaded. The result depends on the numbers alone: all
/// instruction sets, and so all workers, make the same bits.
package struct WeightConverter: Sendable {
    private let kernels: KernelSet
    private let team: ThreadTeam

    package init(team: ThreadTeam) {
        kernels = KernelSet.available()[0]
        self.team = team
    }

    /// The matrices as `held`, in memory of their own; those that are of that dtype already stay as they are.
    /// - Parameter release: called with each matrix that is not needed any more, once all are converted.
    package func convert(
        _ matrices: [WeightMatrix], to held: HeldDType, release: (WeightMatrix) -> Void = { _ in }
    ) -> [WeightMatrix] {
        let originals = matrices.filter { $0.dtype != held.dtype }
        let places = Places(of: originals, held)
        let slab = AlignedBuffer<UInt8>(count: places.byteCount)
        slab.populate(on: team)
        let parts = places.all.map { SlabPart(slab, $0) }
        let blocks = Self.blocks(of: originals)
        team.forEach(blocks.count) { index in
            let block = blocks[index]
            convert(block.rows, of: originals[block.matrix], to: held, parts[block.matrix])
        }
        for original in originals { release(original) }
        var made = zip(originals, parts).map { $1.matrix(like: $0, held) }.makeIterator()
        return matrices.map { $0.dtype == held.dtype ? $0 : made.next() ?? $0 }
    }

    /// Rows of one of the matrices that are converted: a thread's work.
    private struct Block {
        let matrix: Int
        let rows: Range<Int>
    }

    private static func blocks(of matrices: [WeightMatrix]) -> [Block] {
        matrices.enumerated().flatMap { index, matrix in
            let size = max(1, valuesPerBlock / max(matrix.columns, 1) / WeightDType.four) * WeightDType.four
            return stride(from: 0, to: matrix.rows, by: size).map { first in
                Block(matrix: index, rows: first..<min(first + size, matrix.rows))
            }
        }
    }

    /// Where each matrix stands in the memory that all share: neighbours lie together in huge pages.
    private struct Places {
        private(set) var all: [Range<Int>] = []
        private(set) var byteCount = 0

        init(of matrices: [WeightMatrix], _ held: HeldDType) {
            for matrix in matrices {
                let end = byteCount + SlabPart.byteCount(rows: matrix.rows, columns: matrix.columns, held)
                all.append(byteCount..<end)
                byteCount = end
            }
        }
    }

    private func convert(_ rows: Range<Int>, of matrix: WeightMatrix, to held: HeldDType, _ part: SlabPart) {
        let (columns, scaleCount) = (matrix.columns, held.scales(columns: matrix.columns))
        let stride = held.dtype.packedStride(columns)
        let scales = part.scales(rows: matrix.rows, columns: columns, held)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: columns + scaleCount) { values in
            withUnsafeTemporaryAllocation(byteCount: stride, alignment: 16) { codes in
                guard let values = values.baseAddress, let codes = codes.baseAddress else { return }
                codes.initializeMemory(as: UInt8.self, repeating: 0, count: stride)
                for row in rows {
                    kernels.widenRow(matrix, row: row, into: values)
                    let place = part.start + held.dtype.byteCount(row * stride)
                    switch held {
                    case .bf16:
                        kernels.narrow(values, count: columns, into: place.assumingMemoryBound(to: UInt16.self))
                    case .fp8, .int4:
                        kernels.quantize(
                            values, count: columns, to: held, into: place, scales: scales + row * scaleCount)
                    case .int8:
                        let rowScales = values + columns
                        kernels.quantize(values, count: columns, to: held, into: codes, scales: rowScales)
                        CodeFours(codes: part.start, scales: scales, stride: stride, scaleCount: scaleCount).put(
                            codes, rowScales, asRow: row)
                    }
                }
            }
        }
    }

    /// Some hundred microseconds of work.
    private static let valuesPerBlock = 1 << 17
}

/// A matrix's part of memory that it shares with others: codes row after row, then scales. What is no longer used goes
/// back to the system, though its neighbours stay.
private final class SlabPart: Sendable {
    private let slab: AlignedBuffer<UInt8>
    private let range: Range<Int>

    init(_ slab: AlignedBuffer<UInt8>, _ range: Range<Int>) {
        self.slab = slab
        self.range = range
    }

    deinit { slab.discard(range) }

    var start: UnsafeMutableRawPointer { UnsafeMutableRawPointer(slab.pointer + range.lowerBound) }

    /// [rows, scales of a row], of INT8 in fours
    func scales(rows: Int, columns: Int, _ held: HeldDType) -> UnsafeMutablePointer<Float> {
        (start + Self.aligned(held.dtype.byteCount(rows: rows, columns: columns))).assumingMemoryBound(to: Float.self)
    }

    func matrix(like matrix: WeightMatrix, _ held: HeldDType) -> WeightMatrix {
        let scales = scales(rows: matrix.rows, columns: matrix.columns, held)
        return WeightMatrix(
            dtype: held.dtype, rows: matrix.rows, columns: matrix.columns, weights: start,
            rowStride: held.dtype.packedStride(matrix.columns),
            scales: held.dtype.isScaled
                ? BlockScales(
                    values: scales, stride: held.scales(columns: matrix.columns), blockRows: 1,
                    blockColumns: HeldDType.groupColumns) : nil, owner: self)
    }

    static func byteCount(rows: Int, columns: Int, _ held: HeldDType) -> Int {
        aligned(held.dtype.byteCount(rows: rows, columns: columns))
            + aligned(held.dtype.filled(rows) * held.scales(columns: columns) * MemoryLayout<Float>.size)
    }

    private static func aligned(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }
}
