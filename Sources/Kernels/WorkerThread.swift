internal import Foundation

/// One thread of a team besides its caller.
final class WorkerThread: Sendable {
    private let thread: pthread_t

    /// Serves `board` until it closes.
    /// - Parameters:
    ///   - number: among the team's threads.
    ///   - processors: those to stay on; nil: any.
    init(_ number: Int, board: LoopBoard, processors: [Int]?) {
        let start = Unmanaged.passRetained(Start(number: number, board: board, processors: processors))
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, { WorkerThread.main($0) }, start.toOpaque())
        precondition(status == 0, "no thread could be started: error \(status)")
        self.thread = thread
    }

    func join() {
        pthread_join(thread, nil)
    }

    private static func main(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        if let processors = start.processors { Processors.keepCaller(on: processors) }
        start.board.serve(start.number)
        return nil
    }

    private final class Start {
        let number: Int
        let board: LoopBoard
        let processors: [Int]?

        init(number: Int, board: LoopBoard, processors: [Int]?) {
            self.number = number
            self.board = board
            self.processors = processors
        }
    }
}
