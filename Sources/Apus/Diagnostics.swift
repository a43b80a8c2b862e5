internal import ApusEngine

/// Compares the kernels of every available instruction set with plain loops, in under a second.
///
/// - Throws: `backend`, with the instruction set and the kernel in its message, if a result is wrong.
public func selfTest() throws(ApusError) {
  try translatingErrors { () throws(ApusEngine.ApusError) in try SelfTest.run() }
}

/// Returns idle memory to the system: the packing buffer of every thread that no running call is using, and what tensors
/// that were let go have left. May be called from any thread at any time.
public func trimMemory() {
  Memory.trim()
  StoragePool.trim()
}
