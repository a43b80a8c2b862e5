internal import ApusEngine
import Synchronization

/// Memory of tensors in this process, in numbers. May be read from any thread.
public enum TensorMemory {
  /// Bytes that were let go and wait for the next tensors; ``trimMemory()`` returns them to the system.
  public static var idleBytes: Int { StoragePool.idleBytes }
  /// How often the system was asked for memory; in training it stays as it is after the first steps.
  public static var blocksFromSystem: Int { StoragePool.blocksFromSystem }
}

/// Memory of tensors that were let go, kept for the next ones of about the same size. Bounded: beyond the bound memory
/// goes back to the system at once, and ``trimMemory()`` returns all of it.
enum StoragePool {
  /// Bytes that idle blocks may hold together.
  static let bound = 256 << 20

  /// Blocks of one size each, linked through their own first bytes, so that giving back allocates nothing.
  private struct State: ~Copyable {
    var heads = [UnsafeMutableRawPointer?](repeating: nil, count: 256)
    var idleBytes = 0
  }

  private static let state = Mutex(State())

  private static let taken = Atomic<Int>(0)
  static var blocksFromSystem: Int { taken.load(ordering: .relaxed) }

  /// Bytes that idle blocks hold now.
  static var idleBytes: Int { state.withLock { $0.idleBytes } }

  /// Sizes are multiples of 64 bytes up to 256, then four to each power of two: a block wastes less than a fifth of itself.
  static func roundedSize(_ bytes: Int) -> (size: Int, place: Int) {
    if bytes <= 256 {
      let steps = max(1, (bytes + 63) / 64)
      return (steps * 64, steps)
    }
    let power = Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount
    let step = 1 << (power - 2)
    let steps = (bytes + step - 1) / step
    return (steps * step, (power - 6) * 4 + steps - 4 + 5)
  }

  /// A block of at least so many bytes, aligned to 64; its real size is `roundedSize`'s.
  static func take(_ size: Int, place: Int) -> UnsafeMutableRawPointer {
    let idle: Block? = state.withLock { state in
      guard let head = state.heads[place] else { return nil }
      state.heads[place] = head.load(as: UnsafeMutableRawPointer?.self)
      state.idleBytes -= size
      return Block(memory: head)
    }
    if let idle { return idle.memory }
    taken.wrappingAdd(1, ordering: .relaxed)
    do throws(ApusEngine.ApusError) {
      return try Memory.allocate(bytes: size)
    } catch {
      fatalError("a tensor needs \(size) bytes, which the system refuses")
    }
  }

  static func give(_ memory: UnsafeMutableRawPointer, _ size: Int, place: Int) {
    let block = Block(memory: memory)
    let keeps = state.withLock { state in
      if state.idleBytes + size > bound { return false }
      block.memory.storeBytes(of: state.heads[place], as: UnsafeMutableRawPointer?.self)
      state.heads[place] = block.memory
      state.idleBytes += size
      return true
    }
    if !keeps { Memory.free(memory) }
  }

  /// Returns every idle block to the system.
  static func trim() {
    let heads: [Block] = state.withLock { state in
      let all = state.heads.compactMap { $0.map { Block(memory: $0) } }
      for i in state.heads.indices { state.heads[i] = nil }
      state.idleBytes = 0
      return all
    }
    for block in heads {
      var next: UnsafeMutableRawPointer? = block.memory
      while let memory = next {
        next = memory.load(as: UnsafeMutableRawPointer?.self)
        Memory.free(memory)
      }
    }
  }

  /// A block belongs to one owner at a time: it may change threads.
  private struct Block: @unchecked Sendable {
    let memory: UnsafeMutableRawPointer
  }
}

/// The memory that tensors share. Written only while one tensor holds it (copy on write), so it may be read from many
/// threads.
final class TensorStorage: @unchecked Sendable {
  let memory: UnsafeMutableRawPointer
  /// Bytes there are.
  let size: Int
  private let place: Int

  init(bytes: Int) {
    (size, place) = StoragePool.roundedSize(bytes)
    memory = StoragePool.take(size, place: place)
  }

  deinit { StoragePool.give(memory, size, place: place) }
}
