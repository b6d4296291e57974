/// A placement in the making: all layers, who has room, and in which order slots were given out.
struct PlacementDraft {
    private(set) var layers: [LayerBalance]
    /// By stage: the workers of the stage by their local numbers.
    let crews: [[WorkerCapacity]]
    /// The slots given out, in order. A slot may stand here and be gone again.
    private(set) var order: [PlacementChange.Free] = []
    private let input: PolicyInput
    private let stageOfPosition: [Int]
    /// By stage and local number: slots that the worker can still take.
    private(set) var room: [[Int]]
    /// The most slots of a layer.
    let maximumSlots: Int

    /// - Parameter maximumRedundant: experts' worth of slots per layer beyond one for each; nil: what nine tenths of
    ///   the memory allow, since a host that is full of weights has no room for work.
    init(_ input: PolicyInput, maximumRedundant: Int?) {
        self.input = input
        stageOfPosition = input.stageOfPosition
        let crews = input.stages.map { stage in input.workers.filter { $0.stage == stage.index } }
        self.crews = crews
        room = crews.map { crew in crew.map { $0.slots - input.holdings.slotCount(of: $0.index) } }
        let (rows, tensor) = (input.holdings.rowCount, input.holdings.tensor)
        maximumSlots = maximumRedundant.map { rows + $0 * tensor } ?? max(rows, Self.mostSlots(input, crews))
        layers = stageOfPosition.enumerated().map { position, stage in
            let locals = Dictionary(uniqueKeysWithValues: crews[stage].enumerated().map { ($1.index, $0) })
            return LayerBalance(
                position: position, tensor: tensor, speeds: crews[stage].map(\.speed),
                loads: input.loads.weights(position: position),
                holders: (0..<rows).map { row in
                    input.holdings.holders(position: position, row: row).compactMap { locals[$0] }
                })
        }
    }

    var balance: Balance { Balance(layers) }

    func crew(_ position: Int) -> [WorkerCapacity] { crews[stageOfPosition[position]] }

    func search(_ position: Int, onlyTo target: Int?) -> MoveSearch {
        let crew = crew(position)
        return MoveSearch(
            room: room[stageOfPosition[position]],
            mayTake: crew.map { $0.takesSlots && (target ?? $0.index) == $0.index },
            maximumSlots: maximumSlots)
    }

    /// - Parameter doubling: whether a worker may hold two slices of an expert, as it must where workers are few.
    func canTake(_ worker: Int, row: Int, position: Int, doubling: Bool = false) -> Bool {
        let crew = crew(position)
        let layer = layers[position]
        let isHeld =
            doubling ? layer.holders[row].contains(worker) : layer.holdsExpert(row: row, worker: worker)
        return crew[worker].takesSlots && !isHeld
            && (crew[worker].readsCheckpoint || !input.holdings.holders(position: position, row: row).isEmpty)
    }

    func hasRoom(_ worker: Int, position: Int) -> Bool { room[stageOfPosition[position]][worker] > 0 }

    /// Bytes that filling the place moves: none where the worker has the slot already.
    func byteCount(_ place: SlotMove.Place, position: Int) -> Int {
        let worker = crew(position)[place.worker].index
        let isHeld = input.holdings.holders(position: position, row: place.row).contains(worker)
        return isHeld ? 0 : input.sliceBytes[place.row % input.holdings.tensor]
    }

    mutating func fill(_ place: SlotMove.Place, position: Int) {
        layers[position].add(row: place.row, worker: place.worker)
        noteFill(place, position)
    }

    mutating func free(_ place: SlotMove.Place, position: Int) {
        layers[position].remove(row: place.row, worker: place.worker)
        room[stageOfPosition[position]][place.worker] += 1
    }

    mutating func level(position: Int) { layers[position].level() }

    /// Makes the step if it levels the layer and does not lengthen its time.
    /// - Returns: whether it was made.
    mutating func make(_ move: SlotMove, position: Int) -> Bool {
        var layer = layers[position]
        let (peak, unevenness) = (layer.peak, layer.unevenness)
        for (isFill, place) in move.changes {
            if isFill {
                layer.add(row: place.row, worker: place.worker)
            } else {
                layer.remove(row: place.row, worker: place.worker)
            }
        }
        layer.level()
        guard layer.peak <= peak * (1 + Self.rounding), layer.unevenness < unevenness * (1 - Self.rounding) else {
            return false
        }
        layers[position] = layer
        for (isFill, place) in move.changes {
            if isFill {
                noteFill(place, position)
            } else {
                room[stageOfPosition[position]][place.worker] += 1
            }
        }
        return true
    }

    /// What the workers hold after all of this.
    var holdings: Holdings {
        var holdings = Holdings(
            layers: input.holdings.layers, experts: input.holdings.expertCount, tensor: input.holdings.tensor)
        for (position, layer) in layers.enumerated() {
            let crew = crew(position)
            for (row, holders) in layer.holders.enumerated() {
                for worker in holders { holdings.add(row: row, position: position, to: crew[worker].index) }
            }
        }
        return holdings
    }

    private static let rounding = 1e-9

    /// Of a layer, in the stage with the least memory for each of its layers.
    private static func mostSlots(_ input: PolicyInput, _ crews: [[WorkerCapacity]]) -> Int {
        zip(input.stages, crews).map { stage, crew in
            crew.reduce(0) { $0 + $1.slots } / 10 * 9 / max(1, stage.layers.count)
        }.min() ?? 0
    }

    private mutating func noteFill(_ place: SlotMove.Place, _ position: Int) {
        room[stageOfPosition[position]][place.worker] -= 1
        let tensor = input.holdings.tensor
        let slot = Slot(
            layer: input.holdings.layers[position], expert: place.row / tensor, rank: place.row % tensor)
        order.append(PlacementChange.Free(slot: slot, worker: crew(position)[place.worker].index))
    }
}
