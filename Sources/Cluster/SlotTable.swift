/// Who holds what in one layer, flat, for the dispatch of every token. Rows are numbered expert x tensor + rank.
package struct SlotTable: Hashable, Sendable {
    package let tensor: Int
    /// [experts x tensor]: the first worker that holds each row.
    package let primary: [Int32]
    /// [experts x tensor + 1]: row i is held by `holders[starts[i]..<starts[i + 1]]`.
    package let starts: [Int32]
    /// Workers, row by row, each row's first holder first.
    package let holders: [Int32]

    /// - Parameter rows: [experts x tensor], each with the workers that hold the row, at least one.
    init(tensor: Int, rows: [[Int]]) {
        self.tensor = tensor
        primary = rows.map { Int32($0[0]) }
        holders = rows.flatMap { $0.map(Int32.init) }
        starts = rows.reduce(into: [0]) { $0.append($0[$0.count - 1] + Int32($1.count)) }
    }

    package var rowCount: Int { primary.count }

    /// The workers that hold row `expert x tensor + rank`.
    package subscript(row: Int) -> ArraySlice<Int32> {
        holders[Int(starts[row])..<Int(starts[row + 1])]
    }

    /// The rows that a worker holds, ascending.
    package func rows(of worker: Int) -> [Int] {
        let worker = Int32(worker)
        return (0..<rowCount).filter { row in
            (Int(starts[row])..<Int(starts[row + 1])).contains { holders[$0] == worker }
        }
    }
}
