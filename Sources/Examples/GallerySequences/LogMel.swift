import Apus
import Foundation

/// What an ear hears of a sound: the logarithm of its power in bands whose widths grow as the mel scale's (S. Stevens et al.,
/// 1937; S. Davis, P. Mermelstein, 1980), frame by frame. The Fourier transform is a product with matrices of cosines and
/// sines.
package struct LogMel {
  /// Samples of a frame, and from one to the next: 23 and 12 ms.
  package static let frame = 512, hop = 256
  package static let bands = 40

  private let cosines: Tensor, sines: Tensor
  /// How much of each frequency falls into each band: triangles that overlap by half.
  package let filters: Tensor

  /// Matrices for samples of a rate a second.
  package init(rate: Double) {
    let (frame, bins) = (Self.frame, Self.frame / 2 + 1)
    // By Hann's window: without it a frame's ends would sound as noise.
    let window = (0..<frame).map { 0.5 - 0.5 * cos(2 * .pi * Double($0) / Double(frame)) }
    func waves(_ function: (Double) -> Double) -> Tensor {
      let values = (0..<frame * bins).map { i in
        Float(window[i / bins] * function(2 * .pi * Double(i / bins * (i % bins) % frame) / Double(frame)))
      }
      return Tensor(values, shape: [frame, bins])
    }
    (cosines, sines) = (waves { cos($0) }, waves { sin($0) })
    func mel(_ hertz: Double) -> Double { 2595 * log10(1 + hertz / 700) }
    let (low, high) = (mel(80), mel(min(8000, rate / 2)))
    var weights = [Float](repeating: 0, count: bins * Self.bands)
    for bin in 0..<bins {
      // In bands from the lowest one's middle on.
      let place = (mel(Double(bin) * rate / Double(frame)) - low) / (high - low) * Double(Self.bands + 1) - 1
      for band in 0..<Self.bands { weights[bin * Self.bands + band] = Float(max(0, 1 - abs(place - Double(band)))) }
    }
    filters = Tensor(weights, shape: [bins, Self.bands])
  }

  /// Bands x frames, with the mean 0 and the deviation 1, or all 0 of silence alone; silence behind the end of the samples.
  package func callAsFunction(_ samples: [Float], frames: Int) -> Tensor {
    let length = (frames - 1) * Self.hop + Self.frame
    let sound = Array(samples.prefix(length)) + [Float](repeating: 0, count: max(0, length - samples.count))
    let x = Tensor(sound, shape: [1, 1, length]).windows([Self.frame], stride: [Self.hop]).reshaped([
      frames, Self.frame,
    ])
    let power = matmul(x, cosines).squared() + matmul(x, sines).squared()
    let y = (matmul(power, filters) + 1e-3).log()
    let centred = y - y.mean(), deviation = centred.squared().mean().squareRoot()
    // Silence has none.
    return (deviation.scalar > 1e-4 ? centred / deviation : centred).transposed()
  }
}
