// PersistentMap: an ordered map whose copies are free and share everything that did not change, so
// that every published image may be kept and read without locks while the next one is being built.
//
// A copy is one reference. A change clones the path from the root to the changed entry, unless the
// nodes on it belong to this map alone: then it works in place, so that a long run of changes costs
// what it would cost in a plain tree. Entries are never cloned with their node, only when changed.
//
// Threads: any number may read one map value at a time; a map that is being changed belongs to its
// thread. Pointers and references to entries live as long as some map that holds the entry.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace moldau::metadata {

namespace internal {

// A reference to a block that counts its owners. `unique()` may be believed: an owner that sees
// itself alone sees all that former owners did.
template <typename T>
class Counted {
 public:
    Counted() = default;
    Counted(const Counted& other) : block_(other.block_) {
        if (block_ != nullptr) {
            block_->owners.fetch_add(1, std::memory_order_relaxed);
        }
    }
    Counted(Counted&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    Counted& operator=(Counted other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~Counted() {
        if (block_ != nullptr && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            delete block_;
        }
    }

    template <typename... Args>
    static Counted make(Args&&... args) {
        Counted made;
        made.block_ = new Block{{1}, T(std::forward<Args>(args)...)};
        return made;
    }

    explicit operator bool() const { return block_ != nullptr; }
    const T& operator*() const { return block_->value; }
    const T* operator->() const { return &block_->value; }
    const T* get() const { return block_ == nullptr ? nullptr : &block_->value; }

    // The value for change: cloned first when others own it too.
    T& own() {
        if (block_->owners.load(std::memory_order_acquire) != 1) {
            *this = make(block_->value);
        }
        return block_->value;
    }

 private:
    struct Block {
        std::atomic<uint32_t> owners;
        T value;
    };
    Block* block_ = nullptr;
};

}  // namespace internal

template <typename Key, typename Value>
class PersistentMap {
    struct Node;
    using Link = internal::Counted<Node>;
    using Entry = std::pair<const Key, Value>;

    // An AVL tree: heights of siblings differ by one at most.
    struct Node {
        internal::Counted<Entry> entry;
        Link left;
        Link right;
        int height = 1;
    };

 public:
    using value_type = Entry;

    // In key order.
    class Iterator {
     public:
        using value_type = Entry;
        using difference_type = std::ptrdiff_t;

        Iterator() = default;
        const Entry& operator*() const { return *path_.back()->entry; }
        const Entry* operator->() const { return path_.back()->entry.get(); }
        Iterator& operator++() {
            const Node* node = path_.back();
            path_.pop_back();
            descend(node->right.get());
            return *this;
        }
        Iterator operator++(int) {
            Iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const Iterator& a, const Iterator& b) {
            return (a.path_.empty() ? nullptr : a.path_.back()) ==
                   (b.path_.empty() ? nullptr : b.path_.back());
        }

     private:
        friend class PersistentMap;
        void descend(const Node* node) {
            for (; node != nullptr; node = node->left.get()) {
                path_.push_back(node);
            }
        }
        std::vector<const Node*> path_;  // the entries still to come that lie above the current one
    };

    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    template <typename Lookup>
    const Value* find(const Lookup& key) const {
        const Node* node = root_.get();
        while (node != nullptr) {
            if (less(key, node->entry->first)) {
                node = node->left.get();
            } else if (less(node->entry->first, key)) {
                node = node->right.get();
            } else {
                return &node->entry->second;
            }
        }
        return nullptr;
    }
    template <typename Lookup>
    bool contains(const Lookup& key) const {
        return find(key) != nullptr;
    }

    Iterator begin() const {
        Iterator at;
        at.descend(root_.get());
        return at;
    }
    Iterator end() const { return {}; }
    // The first entry whose key is not below `key`.
    template <typename Lookup>
    Iterator lower_bound(const Lookup& key) const {
        Iterator at;
        const Node* node = root_.get();
        while (node != nullptr) {
            if (less(node->entry->first, key)) {
                node = node->right.get();
            } else {
                at.path_.push_back(node);
                node = node->left.get();
            }
        }
        return at;
    }

    void put(const Key& key, Value value) {
        const Value* present = find(key);
        if (present != nullptr) {
            own(key) = std::move(value);
            return;
        }
        insert(root_, internal::Counted<Entry>::make(key, std::move(value)));
        ++size_;
    }
    // The value for change in place. The key must be present.
    template <typename Lookup>
    Value& own(const Lookup& key) {
        Link* link = &root_;
        while (true) {
            MOLDAU_ASSERT(static_cast<bool>(*link));
            Node& node = link->own();
            if (less(key, node.entry->first)) {
                link = &node.left;
            } else if (less(node.entry->first, key)) {
                link = &node.right;
            } else {
                return node.entry.own().second;
            }
        }
    }
    // Present or made from Value's default.
    Value& own_or_make(const Key& key) {
        if (!contains(key)) {
            put(key, Value());
        }
        return own(key);
    }
    template <typename Lookup>
    bool erase(const Lookup& key) {
        if (!contains(key)) {
            return false;
        }
        remove(root_, key);
        --size_;
        return true;
    }

    friend bool operator==(const PersistentMap& a, const PersistentMap& b) {
        if (a.root_.get() == b.root_.get()) {
            return true;
        }
        if (a.size_ != b.size_) {
            return false;
        }
        for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
            if (x->first != y->first || !(x->second == y->second)) {
                return false;
            }
        }
        return true;
    }

 private:
    template <typename A, typename B>
    static bool less(const A& a, const B& b) {
        return std::less<>()(a, b);
    }
    static int height(const Link& link) { return link ? link->height : 0; }
    static void measure(Node& node) {
        node.height = 1 + std::max(height(node.left), height(node.right));
    }

    static void rotate_right(Link& link) {
        Link top = std::move(link.own().left);
        Node& node = link.own();
        node.left = std::move(top.own().right);
        measure(node);
        top.own().right = std::move(link);
        measure(top.own());
        link = std::move(top);
    }
    static void rotate_left(Link& link) {
        Link top = std::move(link.own().right);
        Node& node = link.own();
        node.right = std::move(top.own().left);
        measure(node);
        top.own().left = std::move(link);
        measure(top.own());
        link = std::move(top);
    }
    static void balance(Link& link) {
        Node& node = link.own();
        int lean = height(node.left) - height(node.right);
        if (lean > 1) {
            if (height(node.left->left) < height(node.left->right)) {
                rotate_left(node.left);
            }
            rotate_right(link);
        } else if (lean < -1) {
            if (height(node.right->right) < height(node.right->left)) {
                rotate_right(node.right);
            }
            rotate_left(link);
        } else {
            measure(node);
        }
    }

    static void insert(Link& link, internal::Counted<Entry> entry) {
        if (!link) {
            link = Link::make();
            link.own().entry = std::move(entry);
            return;
        }
        Node& node = link.own();
        insert(less(entry->first, node.entry->first) ? node.left : node.right, std::move(entry));
        balance(link);
    }
    template <typename Lookup>
    static void remove(Link& link, const Lookup& key) {
        Node& node = link.own();
        if (less(key, node.entry->first)) {
            remove(node.left, key);
        } else if (less(node.entry->first, key)) {
            remove(node.right, key);
        } else if (!node.left || !node.right) {
            // A copy first: the assignment below may drop the node that holds the child.
            Link child = node.left ? node.left : node.right;
            link = std::move(child);
            return;
        } else {
            node.entry = take_first(node.right);
        }
        balance(link);
    }
    static internal::Counted<Entry> take_first(Link& link) {
        Node& node = link.own();
        if (!node.left) {
            internal::Counted<Entry> entry = node.entry;
            Link child = node.right;
            link = std::move(child);
            return entry;
        }
        internal::Counted<Entry> entry = take_first(node.left);
        balance(link);
        return entry;
    }

    Link root_;
    size_t size_ = 0;
};

}  // namespace moldau::metadata
