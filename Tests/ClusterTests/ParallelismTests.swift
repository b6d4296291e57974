import Cluster
import Testing

@Suite struct ParallelismTests {
    @Test("the slices of an expert cover its intermediate dimension in order, sizes within one")
    func columns() throws {
        for (tensor, width) in [(8, 2048), (3, 2048), (5, 64), (1, 7), (4, 4)] {
            let parallelism = try Parallelism(tensor: tensor, pipeline: 1, workers: tensor)
            let runs = (0..<tensor).map { parallelism.columns(rank: $0, of: width) }
            #expect(runs.flatMap(Array.init) == Array(0..<width))
            #expect(runs.map(\.count).max()! - runs.map(\.count).min()! <= 1)
        }
    }

    @Test("expert parallelism is what tensor and pipeline leave")
    func expert() throws {
        let grid = try Parallelism(tensor: 8, pipeline: 2, workers: 64)
        #expect(grid.expert == 4 && "\(grid)" == "TP 8 x PP 2 x EP 4")
        let odd = try Parallelism(tensor: 2, pipeline: 1, workers: 5)
        #expect(odd.expert == nil && "\(odd)" == "TP 2 x PP 1 over 5 workers")
        #expect(try Parallelism(tensor: 1, pipeline: 3, workers: 8).workers(stage: 2) == 6..<8)
    }
}
