extension CheckpointReport {
    /// The report as aligned plain text, lines ending with a newline.
    package var text: String {
        var rows = [["", "tensors", "parameters", "bytes"], Self.row("all", total)]
        rows += layers.map { layer in
            let numbers = layer.first == layer.last ? "layer \(layer.first)" : "layers \(layer.first)-\(layer.last)"
            return Self.row("\(numbers), \(layer.kind.rawValue)", layer.total)
        }
        rows += roles.map { Self.row($0.name, $0.total) }
        rows += dtypes.map { Self.row($0.name, $0.total) }
        rows += shards.map { Self.row($0.name, $0.total) }
        let heading = """
            \(model)
            \(modelType): \(routedExperts) routed experts, \(expertsPerToken) per token, \(sharedExperts) shared

            """
        return heading + Self.table(rows)
    }

    private static func row(_ name: String, _ total: Total) -> [String] {
        [name, grouped(total.tensors), grouped(total.parameters), grouped(total.bytes)]
    }

    /// The first column to the left, the others to the right.
    static func table(_ rows: [[String]]) -> String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).enumerated().map { index, cell in
                let blanks = String(repeating: " ", count: cell.1 - cell.0.count)
                return index == 0 ? cell.0 + blanks : blanks + cell.0
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }

    /// Digits in groups of three.
    static func grouped(_ number: Int) -> String {
        let digits = String(number)
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index).isMultiple(of: 3) { result += "," }
            result.append(digit)
        }
        return result
    }
}
