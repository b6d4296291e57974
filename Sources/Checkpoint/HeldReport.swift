internal import Foundation
package import Kernels

/// How far a model's matrices are from the stored ones once they are held as something else: the numbers that
/// `cohort inspect` adds for `--expert-dtype` and `--dense-dtype`.
package struct HeldReport: Sendable, Encodable {
    /// Matrices of one role that are held alike.
    package struct Group: Sendable, Encodable {
        package let role: String
        package let dtype: String
        package internal(set) var matrices = 0
        package internal(set) var storedBytes = 0
        package internal(set) var heldBytes = 0
        /// The root of the squared differences over that of the squared weights.
        package internal(set) var relativeRMSError = 0.0
        /// The largest difference of a matrix's weights over its largest weight.
        package internal(set) var largestRelativeError = 0.0
        /// Weights that are no finite numbers once they are held so; errors are those of the others.
        package internal(set) var brokenWeights = 0
        /// The first matrix with such weights.
        package internal(set) var firstBroken: String?
    }

    package let groups: [Group]

    /// Reads and converts every matrix that is to be held so, one after the other.
    /// - Parameter progress: called with the bytes of weights that are done, and those of all.
    /// - Throws: `CheckpointError`.
    package init(
        _ checkpoint: Checkpoint, held: HeldDTypes, team: ThreadTeam, progress: (Int, Int) -> Void = { _, _ in }
    ) throws(CheckpointError) {
        let layout = ModelLayout(checkpoint.config, includesMTP: checkpoint.holdsMTP)
        let specs = layout.tensors.filter {
            $0.shape.count == 2 && !$0.isScale && held.held($0.role, $0.part) != nil && checkpoint.contains($0.name)
        }
        let total = specs.reduce(0) { $0 + $1.byteCount }
        let converter = WeightConverter(team: team)
        var groups: [(group: Group, error: WeightError)] = []
        var done = 0
        for spec in specs {
            guard let dtype = held.held(spec.role, spec.part) else { continue }
            try checkpoint.readAhead([spec.name])
            let stored = try checkpoint.matrix(spec.name, rows: spec.shape[0], columns: spec.shape[1])
            let made = converter.convert([stored], to: dtype)[0]
            let error = WeightError(of: made, against: stored, team: team)
            checkpoint.adviseDoNotNeed(stored)
            let role = CheckpointReport.roleName(spec, checkpoint.config)
            let index =
                groups.firstIndex { $0.group.role == role && $0.group.dtype == dtype.rawValue } ?? groups.count
            if index == groups.count { groups.append((Group(role: role, dtype: dtype.rawValue), WeightError())) }
            groups[index].error.add(error)
            groups[index].group.matrices += 1
            groups[index].group.storedBytes += stored.byteCount
            groups[index].group.heldBytes += made.byteCount
            groups[index].group.relativeRMSError = groups[index].error.relativeRMS
            groups[index].group.largestRelativeError = max(
                groups[index].group.largestRelativeError, error.relativeMaximum)
            groups[index].group.brokenWeights += error.brokenCount
            if error.brokenCount > 0, groups[index].group.firstBroken == nil {
                groups[index].group.firstBroken = spec.name
            }
            done += spec.byteCount
            progress(done, total)
        }
        self.groups = groups.map(\.group)
    }

    /// As aligned plain text, lines ending with a newline.
    package var text: String { table + groups.compactMap(Self.warning).joined() }

    private var table: String {
        let header = ["", "held as", "matrices", "bytes stored", "bytes held", "RMS error", "largest error"]
        return CheckpointReport.table(
            [header]
                + groups.map {
                    [
                        $0.role, $0.dtype, "\($0.matrices)", CheckpointReport.grouped($0.storedBytes),
                        CheckpointReport.grouped($0.heldBytes), Self.percent($0.relativeRMSError),
                        Self.percent($0.largestRelativeError),
                    ]
                })
    }

    private static func warning(_ group: Group) -> String? {
        guard let first = group.firstBroken else { return nil }
        return "\(group.role), \(group.dtype): \(CheckpointReport.grouped(group.brokenWeights)) weights are no finite "
            + "numbers, first in \(first): its file may be damaged, fetch it again\n"
    }

    private static func percent(_ share: Double) -> String { String(format: "%.3f %%", share * 100) }
}
