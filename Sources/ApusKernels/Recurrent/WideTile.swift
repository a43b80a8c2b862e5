import ApusKernelInterface

/// Tiles that cover a whole panel of two or three pairs of vectors.
enum WideTile {
  #if APUS_32_REGISTERS
    /// Rows of a tile of four vectors.
    @inline(__always) static var rows: Int { 6 }
    /// Rows of a tile of six.
    @inline(__always) static var sixVectorRows: Int { 4 }
  #else
    @inline(__always) static var rows: Int { 2 }
    @inline(__always) static var sixVectorRows: Int { 1 }
  #endif
  /// Vectors in a panel at most.
  @inline(__always) static var panelVectors: Int { 6 }
}

/// The register tile four or six vectors wide, for batches of few rows: the weights stream by once, and there are chains
/// enough to hide the latency of a multiply-add.
@inline(__always)
private func wideTile<let NV: Int, V: KernelVector>(
  _ t: UnsafePointer<GemmTileShape>, _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: Count<NV>.Type
) {
  switch t.pointee.rows {
  case 1: registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<1>.self, Count<NV>.self)
  #if APUS_32_REGISTERS
    case 2: registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<2>.self, Count<NV>.self)
    case 3: registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<3>.self, Count<NV>.self)
    case 4: registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<4>.self, Count<NV>.self)
    case 5 where NV == 4:
      registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<5>.self, Count<4>.self)
    case 6 where NV == 4:
      registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<6>.self, Count<4>.self)
  #else
    case 2 where NV == 4:
      registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<2>.self, Count<4>.self)
  #endif
  default: break
  }
}

/// The sums of one row tile with one panel, four or six vectors wide, into `buffer`, whose rows are as wide. The panel's
/// pairs of vectors lie `shape.bPairStride` apart.
@inline(__always)
func panelProduct<V: KernelVector, H: KernelVector>(
  _ shape: inout GemmTileShape, _ a: UnsafePointer<V.Scalar>, _ panel: UnsafePointer<V.Scalar>, vectors: Int,
  _ buffer: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: H.Type
) where H.Scalar == V.Scalar {
  // Every chain runs over k in order, whichever tile holds it: a row's bits do not depend on the number of rows.
  if vectors == 4 && shape.rows <= WideTile.rows {
    shape.columns = 4 &* V.lanes
    return wideTile(&shape, a, panel, buffer, V.self, Count<4>.self)
  }
  if vectors == 6 && shape.rows <= WideTile.sixVectorRows {
    shape.columns = 6 &* V.lanes
    return wideTile(&shape, a, panel, buffer, V.self, Count<6>.self)
  }
  shape.columns = 2 &* V.lanes
  for pair in 0..<vectors / 2 {
    gemmTile(
      &shape, a, panel + pair &* shape.bPairStride, buffer + pair &* 2 &* V.lanes, V.self, H.self)
  }
}
