internal import Foundation

/// The file format of a placement and of the load that it was made for: JSON, one object, versioned.
///
///     {"format": "cohort-placement", "version": 1, "experts": 256, "tensor": 1, "workers": ["NAME", ...],
///      "layers": [{"layer": 3, "holders": [[[...places in workers] per rank] per expert]}],
///      "loads": {...as in a file of load statistics}}
package enum PlacementFile {
    package static let format = "cohort-placement"
    package static let version = 1
    /// Ample for any model's statistics.
    package static let maximumByteSize = 256 << 20

    /// The bytes of a file; members are sorted, so equal contents give equal bytes.
    package static func encode(_ statistics: LoadStatistics, _ placement: NamedPlacement) -> [UInt8] {
        let content = Content(
            format: format, version: version, experts: placement.expertCount, tensor: placement.tensor,
            workers: placement.workers,
            layers: zip(placement.layers, placement.holders).map { layer, rows in
                let starts = stride(from: 0, to: rows.count, by: placement.tensor)
                return Content.Layer(layer: layer, holders: starts.map { Array(rows[$0..<$0 + placement.tensor]) })
            },
            loads: LoadFile.Content(statistics))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(content))
        } catch { preconditionFailure("names and finite numbers have a JSON form: \(error)") }
    }

    /// - Parameters:
    ///   - file: the file's name, for messages.
    ///   - seconds: the time now, from which the windows of the statistics go on.
    package static func decode(
        _ bytes: [UInt8], file: String, seconds: Double = 0
    ) throws(LoadFileError) -> (statistics: LoadStatistics, placement: NamedPlacement) {
        do {
            let decoder = JSONDecoder()
            let head = try decoder.decode(LoadFile.Head.self, from: Data(bytes))
            try head.check(format: format, version: version)
            let content = try decoder.decode(Content.self, from: Data(bytes))
            try content.check()
            do throws(LoadFileError.Problem) {
                return (try content.loads.statistics(seconds: seconds), content.placement)
            } catch { throw error.inside("loads") }
        } catch {
            throw LoadFileError(file: file, problem: LoadFile.problem(of: error))
        }
    }

    private struct Content: Codable {
        struct Layer: Codable {
            let layer: Int
            /// [experts][tensor] holders
            let holders: [[[Int]]]
        }

        let format: String
        let version: Int
        let experts: Int
        let tensor: Int
        let workers: [String]
        let layers: [Layer]
        let loads: LoadFile.Content

        var placement: NamedPlacement {
            NamedPlacement(
                layers: layers.map(\.layer), experts: experts, tensor: tensor, workers: workers,
                holders: layers.map { Array($0.holders.joined()) })
        }

        func check() throws(LoadFileError.Problem) {
            try LoadFile.checkLayers(layers.map(\.layer))
            try LoadFile.checkRange(experts, "experts", 1...LoadFile.maximumExperts)
            try LoadFile.checkRange(tensor, "tensor", 1...max(1, workers.count))
            guard 1...Membership.maximumCount ~= workers.count, Set(workers).count == workers.count,
                workers.allSatisfy({ !$0.isEmpty })
            else {
                throw .invalid(
                    field: "workers", value: "\(workers.prefix(8))",
                    expected: "1 to \(Membership.maximumCount) names, none empty, each once")
            }
            for (place, layer) in layers.enumerated() {
                let field = "layers[\(place)].holders"
                try LoadFile.checkCount(layer.holders.count, field, experts)
                for (expert, ranks) in layer.holders.enumerated() {
                    try LoadFile.checkCount(ranks.count, "\(field)[\(expert)]", tensor)
                    try check(ranks, "\(field)[\(expert)]")
                }
            }
        }

        private func check(_ ranks: [[Int]], _ field: String) throws(LoadFileError.Problem) {
            let areSound = ranks.allSatisfy { holders in
                !holders.isEmpty && holders.allSatisfy(workers.indices.contains)
                    && Set(holders).count == holders.count
            }
            guard areSound else {
                throw .invalid(
                    field: field, value: "\(ranks.prefix(8))",
                    expected: "for each rank one holder or more, places in 'workers', none twice for a rank")
            }
        }
    }
}
