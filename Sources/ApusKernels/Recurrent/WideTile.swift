import ApusKernelInterface

/// Rows of a tile that covers a whole panel of three or four vectors.
enum WideTile {
  #if APUS_32_REGISTERS
    @inline(__always) static var rows: Int { 6 }
  #else
    @inline(__always) static var rows: Int { 2 }
  #endif
  /// Vectors in a row of a panel at most.
  @inline(__always) static var panelVectors: Int { 6 }
}

/// The register tile three or four vectors wide, for batches of few rows: the weights stream by once, and there are
/// chains enough to hide the latency of a multiply-add.
@inline(__always)
func wideTile<let NV: Int, V: KernelVector>(
  _ t: UnsafePointer<GemmTileShape>, _ a: UnsafePointer<V.Scalar>, _ b: UnsafePointer<V.Scalar>,
  _ c: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: Count<NV>.Type
) {
  switch t.pointee.rows {
  case 1: registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<1>.self, Count<NV>.self)
  case 2: registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<2>.self, Count<NV>.self)
  #if APUS_32_REGISTERS
    case 3: registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<3>.self, Count<NV>.self)
    case 4: registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<4>.self, Count<NV>.self)
    case 5: registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<5>.self, Count<NV>.self)
    case 6: registerTile(t, a, b, c, V.self, StridedRows.self, WholeLastVector.self, Count<6>.self, Count<NV>.self)
  #endif
  default: break
  }
}

/// The sums of one row tile with one panel, into `buffer`, whose rows are as wide as the panel's.
@inline(__always)
func panelProduct<V: KernelVector, H: KernelVector>(
  _ shape: inout GemmTileShape, _ a: UnsafePointer<V.Scalar>, _ panel: UnsafePointer<V.Scalar>, vectors: Int,
  _ buffer: UnsafeMutablePointer<V.Scalar>, _: V.Type, _: H.Type
) where H.Scalar == V.Scalar {
  // Every chain runs over k in order, whichever tile holds it: a row's bits do not depend on the number of rows.
  let isWide = shape.rows <= WideTile.rows
  let step = isWide ? (vectors == 4 ? 4 : 3) : 2
  shape.columns = step &* V.lanes
  var first = 0
  while first < vectors {
    let b = panel + first &* V.lanes
    let c = buffer + first &* V.lanes
    if isWide {
      if step == 4 {
        wideTile(&shape, a, b, c, V.self, Count<4>.self)
      } else {
        wideTile(&shape, a, b, c, V.self, Count<3>.self)
      }
    } else {
      gemmTile(&shape, a, b, c, V.self, H.self)
    }
    first &+= step
  }
}
