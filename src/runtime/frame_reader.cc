#include "runtime/frame_reader.h"

#include <algorithm>

#include "base/endian.h"

namespace moldau::runtime {

namespace {

constexpr size_t kPrefixBytes = 4;
// A gathered frame's buffer may be this many times what has arrived.
constexpr size_t kGrowth = 4;
constexpr size_t kGatherBytesMin = 4096;

}  // namespace

std::span<uint8_t> ReceiveBlock::space() {
    if (used_ > 0 && block_.unique()) {
        used_ = 0;
    }
    if (kBytes - used_ < kSpaceMin || memory_ == nullptr) {
        change_block();
    }
    return {memory_ + used_, kBytes - used_};
}

void ReceiveBlock::change_block() {
    if (memory_ != nullptr && full_.size() < kBlocksKept) {
        full_.push_back(std::move(block_));
    }
    auto free = std::ranges::find_if(full_, [](const Bytes& block) { return block.unique(); });
    if (free != full_.end()) {
        block_ = std::move(*free);
        full_.erase(free);
    } else {
        Buffer fresh;
        fresh.resize(kBytes);
        block_ = std::move(fresh).freeze();
    }
    // Ours alone: nobody reads what is written there.
    memory_ = const_cast<uint8_t*>(block_.data());
    used_ = 0;
}

Bytes ReceiveBlock::take(size_t length) {
    MOLDAU_ASSERT(length <= kBytes - used_);
    Bytes filled = block_.slice(used_, length);
    used_ += length;
    return filled;
}

size_t FrameReader::missing() const {
    return (partial_target_ == 0 ? kPrefixBytes : partial_target_) - partial_.size();
}

FrameReader::Space FrameReader::prepare(ReceiveBlock& block) {
    Space space;
    if (partial_.empty()) {
        space.spans[0] = block.space();
        space.count = 1;
        return space;
    }
    // The spare room of the gathered frame first; when the frame will be complete with it, what
    // follows goes to the block in the same read.
    size_t room = std::min(missing(), partial_.capacity() - partial_.size());
    space.spans[0] = {partial_.data() + partial_.size(), room};
    space.count = 1;
    if (room == missing()) {
        space.spans[1] = block.space();
        space.count = 2;
    }
    return space;
}

Status FrameReader::commit(ReceiveBlock& block, size_t length, std::vector<Bytes>& frames) {
    if (partial_.empty()) {
        return cut(block.take(length), frames);
    }
    size_t wanted = missing();
    size_t gathered = std::min({length, wanted, partial_.capacity() - partial_.size()});
    partial_.resize(partial_.size() + gathered);
    length -= gathered;
    if (partial_target_ == 0 && partial_.size() == kPrefixBytes) {
        MOLDAU_TRY(size_t body, frame_length(partial_.data()));
        partial_target_ = kPrefixBytes + body;
        if (length > 0) {
            // The prefix was cut in two and the body follows in the block: no need to gather it.
            Bytes rest = block.take(length);
            if (rest.size() >= body) {
                frames.push_back(rest.slice(0, body));
                partial_ = Buffer();
                partial_target_ = 0;
                return cut(rest.slice(body), frames);
            }
            return keep(rest.span());
        }
    }
    if (partial_target_ != 0 && partial_.size() == partial_target_) {
        frames.push_back(std::move(partial_).freeze().slice(kPrefixBytes));
        partial_ = Buffer();
        partial_target_ = 0;
        return length > 0 ? cut(block.take(length), frames) : Status();
    }
    return keep({});
}

// Delivers the frames that lie whole in `data`, and gathers what is left.
Status FrameReader::cut(Bytes data, std::vector<Bytes>& frames) {
    size_t at = 0;
    while (data.size() - at >= kPrefixBytes) {
        MOLDAU_TRY(size_t body, frame_length(data.data() + at));
        if (data.size() - at - kPrefixBytes < body) {
            break;
        }
        frames.push_back(data.slice(at + kPrefixBytes, body));
        at += kPrefixBytes + body;
    }
    if (at == data.size()) {
        return {};
    }
    auto rest = data.span().subspan(at);
    if (rest.size() >= kPrefixBytes) {
        MOLDAU_TRY(size_t body, frame_length(rest.data()));
        partial_target_ = kPrefixBytes + body;
    }
    return keep(rest);
}

// Adds to the gathered frame and makes room for what comes next, in proportion to what is here.
Status FrameReader::keep(std::span<const uint8_t> data) {
    size_t have = partial_.size() + data.size();
    size_t target = partial_target_ == 0 ? kPrefixBytes : partial_target_;
    size_t room = std::max(kGatherBytesMin, have * kGrowth);
    if (partial_.capacity() < target && partial_.capacity() - partial_.size() <= data.size()) {
        partial_.reserve(std::max(partial_.capacity(), std::min(target, room)));
    }
    partial_.append(data);
    if (partial_.size() == partial_.capacity() && partial_.size() < target) {
        partial_.reserve(std::min(target, room));
    }
    return {};
}

Result<size_t> FrameReader::frame_length(const uint8_t* prefix) const {
    auto length = load_big<int32_t>(prefix);
    if (length < 0 || length > frame_bytes_max_) {
        return fail(ErrorCode::InvalidRequest, "frame length out of range: length={} max={}",
                    length, frame_bytes_max_);
    }
    return static_cast<size_t>(length);
}

}  // namespace moldau::runtime
