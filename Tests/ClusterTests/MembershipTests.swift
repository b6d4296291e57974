import Cluster
import Testing

@Suite struct MembershipTests {
    static func membership() -> Membership {
        let offer = Member.Offer(slots: 10)
        return Membership(
            members: (0..<2).map { Member(name: "w\($0)", index: $0, stage: 0, state: .ready, offer: offer) },
            stages: [Stage(index: 0, layers: [3], workers: 0..<2)])
    }

    @Test("a new worker is admitted under a new number and is ready when it has its slots")
    func join() {
        var membership = Self.membership()
        #expect(
            membership.handle(.joined(name: "new", Member.Offer(slots: 4)))
                == [.admitted(index: 2), .request(.admit(2))])
        #expect(membership.members[2].state == .joining)
        #expect(membership.handle(.finished(.admit(2), .done)) == [])
        #expect(membership.members[2].state == .ready)
    }

    @Test("a worker that comes back under its name gets its number back, but not while it is still there")
    func rejoin() {
        var membership = Self.membership()
        let offer = Member.Offer(slots: 4)
        #expect(membership.handle(.joined(name: "w1", offer)) == [.refuse(.nameTaken("w1"))])
        #expect(membership.handle(.lost(name: "w1")) == [.lost(index: 1)])
        #expect(membership.handle(.lost(name: "w1")) == [])
        #expect(membership.handle(.joined(name: "w1", offer)) == [.admitted(index: 1), .request(.admit(1))])
        #expect(membership.members.count == 2 && membership.members[1].offer == offer)
    }

    @Test("a drained worker leaves when it is empty, and its number is free again")
    func drain() {
        var membership = Self.membership()
        #expect(membership.handle(.drain(name: "w0")) == [.request(.drain(0))])
        #expect(membership.handle(.drain(name: "w0")) == [.request(.drain(0))], "asked twice is asked once")
        #expect(membership.capacities { _ in nil }.map(\.takesSlots) == [false, true])
        #expect(membership.handle(.finished(.drain(0), .done)) == [.dismiss(index: 0)])
        let joined = membership.handle(.joined(name: "other", Member.Offer(slots: 4)))
        #expect(joined.first == .admitted(index: 0))
        #expect(membership.handle(.drain(name: "w0")) == [.refuse(.unknown("w0", known: ["other", "w1"]))])
    }

    @Test("a removed worker is gone at once, present or lost, and its number is free again")
    func remove() {
        var membership = Self.membership()
        #expect(membership.handle(.remove(name: "w0")) == [.lost(index: 0)])
        #expect(membership.handle(.lost(name: "w1")) == [.lost(index: 1)])
        #expect(membership.handle(.remove(name: "w1")) == [])
        #expect(membership.members.map(\.state) == [.left, .left])
        #expect(membership.handle(.joined(name: "other", Member.Offer(slots: 4))).first == .admitted(index: 0))
    }

    @Test("a worker for whose slots nobody has room stays")
    func noRoom() {
        var membership = Self.membership()
        _ = membership.handle(.drain(name: "w0"))
        let slots = [Slot(layer: 3, expert: 1, rank: 0)]
        #expect(
            membership.handle(.finished(.drain(0), .incomplete(slots))) == [.refuse(.noRoom("w0", slots: 1))])
        #expect(membership.members[0].state == .ready)
    }

    @Test("an unknown name is refused with those that are known")
    func unknown() {
        var membership = Self.membership()
        let error = MembershipError.unknown("x", known: ["w0", "w1"])
        #expect(membership.handle(.drain(name: "x")) == [.refuse(error)])
        #expect(membership.handle(.remove(name: "x")) == [.refuse(error)])
        #expect(membership.handle(.remove(name: "w0")) == [.lost(index: 0)])
    }

    @Test("a worker of unknown speed counts as the mean of the others")
    func speeds() {
        let capacities = Self.membership().capacities { $0.index == 0 ? 3 : nil }
        #expect(capacities.map(\.speed) == [3, 3])
    }
}
