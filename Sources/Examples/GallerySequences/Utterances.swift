import Apus
import ExampleSupport
import Foundation
import Synchronization

/// Spoken digits, or what stands for them.
struct Utterances {
  static let rate = 22050.0
  /// Where Debian puts espeak-ng.
  static let debianProgram = "/usr/bin/espeak-ng"
  /// Frames of an utterance: 0.75 s.
  static let frames = 64
  private static let digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
  private static let accents = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029"]
  static let voices = ["m1", "m3", "m4", "m6", "m7", "f1", "f3", "f4"]
  static let heldOutVoices = ["m2", "m5", "f2", "f5"]

  /// An utterance to be made.
  private struct Order {
    var digit: Int
    var arguments: [String]
  }

  /// Every digit by every voice in every accent, each some times at speeds and pitches of its own, spoken by espeak-ng.
  static func spoken(
    by program: String, voices: [String], times: Int, _ choices: inout Choices
  ) throws -> TensorDataset {
    var orders: [Order] = []
    for voice in voices {
      for accent in accents {
        for digit in digits.indices {
          for _ in 0..<times {
            let speed = Int.random(in: 120...210, using: &choices), pitch = Int.random(in: 25...75, using: &choices)
            orders.append(
              Order(
                digit: digit,
                arguments: ["-v", "\(accent)+\(voice)", "-s", "\(speed)", "-p", "\(pitch)", "--stdout", digits[digit]]))
          }
        }
      }
    }
    // As many at a time as there are cores: a process is begun for each.
    let results = Mutex([Result<[Float], any Error>?](repeating: nil, count: orders.count))
    DispatchQueue.concurrentPerform(iterations: orders.count) { [orders] i in
      let result = Result { try speak(program, orders[i].arguments) }
      results.withLock { $0[i] = result }
    }
    let sounds = try results.withLock { try $0.compactMap { try $0?.get() } }
    return dataset(zip(sounds, orders).map { ($0, $1.digit) })
  }

  /// The samples that the program writes as a WAV file, without the silence before and behind.
  private static func speak(_ program: String, _ arguments: [String]) throws -> [Float] {
    let process = Process(), output = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    var bytes = Data()
    do {
      try process.run()
      bytes = try output.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
    } catch {
      throw DataError("\(program) cannot be run: apt-get install espeak-ng, or name the program with --espeak")
    }
    // A header of 44 bytes, and 16 bits a sample, the low ones first.
    let wave = [UInt8](bytes)
    guard process.terminationStatus == 0, wave.count > 4000, wave.starts(with: "RIFF".utf8) else {
      throw DataError("\(program) \(arguments.joined(separator: " ")): \(wave.count) bytes, which are no sound")
    }
    func number(_ place: Int, bytes: Int) -> Int {
      (0..<bytes).reduce(0) { $0 | Int(wave[place + $1]) << (8 * $1) }
    }
    let (channels, rate, bits) = (number(22, bytes: 2), number(24, bytes: 4), number(34, bytes: 2))
    guard channels == 1, rate == Int(Self.rate), bits == 16 else {
      throw DataError(
        "\(program): a sound of \(channels) channels, \(rate) samples a second and \(bits) bits, not of 1, "
          + "\(Int(Self.rate)) and 16")
    }
    let samples = stride(from: 44, to: wave.count - 1, by: 2).map {
      Float(Int16(bitPattern: UInt16(wave[$0]) | UInt16(wave[$0 + 1]) << 8)) / 32768
    }
    let first = samples.firstIndex { abs($0) > 0.01 } ?? 0, last = samples.lastIndex { abs($0) > 0.01 } ?? 0
    return Array(samples[first...max(first, last)])
  }

  /// Digits as a telephone's keys sound (ITU-T Q.23), two tones each, a little out of tune and under noise: for tests.
  static func tones(_ count: Int, _ choices: inout Choices) -> TensorDataset {
    let rows = [697.0, 770, 852, 941], columns = [1209.0, 1336, 1477]
    return dataset(
      (0..<count).map { i in
        let digit = i % 10, key = digit == 0 ? 10 : digit - 1
        let detune = Double.random(in: 0.99...1.01, using: &choices),
          level = Double.random(in: 0.1...0.4, using: &choices)
        let (low, high) = (rows[key / 3] * detune, columns[key % 3] * detune)
        let samples = (0..<Int.random(in: 6000...12000, using: &choices)).map { t in
          let time = 2 * Double.pi * Double(t) / rate
          return Float(level * (sin(low * time) + sin(high * time)))
        }
        return (samples, digit)
      })
  }

  private static func dataset(_ sounds: [(samples: [Float], digit: Int)]) -> TensorDataset {
    let mel = LogMel(rate: rate)
    return TensorDataset(
      inputs: stack(sounds.map { mel($0.samples, frames: frames) }), targets: Tensor(sounds.map { Int32($0.digit) }))
  }
}
