internal import ApusEngine
import Synchronization

/// Plans by what they were made for, so that a training step plans nothing that it has planned before. Bounded: a full
/// cache forgets everything and begins anew, which a program of many shapes pays with planning again.
final class PlanCache<Plan: Sendable>: Sendable {
  private let plans = Mutex<[[Int]: Plan]>([:])
  private let bound: Int

  init(bound: Int = 256) { self.bound = bound }

  func plan(_ key: [Int], make: () -> Plan) -> Plan {
    if let plan = plans.withLock({ $0[key] }) { return plan }
    // Made outside of the lock; two threads may both make it, and one plan is as good as the other.
    let plan = make()
    plans.withLock { plans in
      if plans.count >= bound { plans.removeAll(keepingCapacity: true) }
      plans[key] = plan
    }
    return plan
  }
}

/// A plan for shapes that were checked; what the engine still refuses stops the program.
func planned<Plan>(
  _ operation: StaticString, _ make: (ExecutionContext) throws(ApusEngine.ApusError) -> Plan
) -> Plan {
  do throws(ApusEngine.ApusError) {
    return try make(try ExecutionContext.processDefault())
  } catch {
    fatalError("\(operation): \(error.message)")
  }
}
