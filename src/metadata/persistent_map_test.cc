#include "metadata/persistent_map.h"

#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace moldau::metadata {
namespace {

using IntMap = PersistentMap<int, std::string>;

TEST(PersistentMap, a_copy_does_not_see_later_changes) {
    IntMap old;
    old.put(1, "one");
    old.put(2, "two");
    IntMap copy = old;
    copy.put(1, "changed");
    copy.erase(2);
    copy.own_or_make(3) = "three";
    EXPECT_EQ(*old.find(1), "one");
    EXPECT_EQ(*old.find(2), "two");
    EXPECT_FALSE(old.contains(3));
    EXPECT_EQ(*copy.find(1), "changed");
    EXPECT_FALSE(copy.contains(2));
    EXPECT_EQ(copy.size(), 2u);
}

TEST(PersistentMap, unchanged_entries_are_shared_with_the_copy) {
    IntMap old;
    for (int i = 0; i < 100; ++i) {
        old.put(i, std::to_string(i));
    }
    IntMap copy = old;
    copy.own(50) = "fifty";
    int shared = 0;
    for (int i = 0; i < 100; ++i) {
        shared += old.find(i) == copy.find(i) ? 1 : 0;
    }
    EXPECT_EQ(shared, 99);
}

TEST(PersistentMap, lower_bound_starts_at_the_first_key_not_below) {
    IntMap map;
    for (int i = 0; i < 100; i += 10) {
        map.put(i, "");
    }
    EXPECT_EQ(map.lower_bound(35)->first, 40);
    EXPECT_EQ(map.lower_bound(40)->first, 40);
    EXPECT_EQ(map.lower_bound(91), map.end());
    int steps = 0;
    for (auto at = map.lower_bound(35); at != map.end(); ++at) {
        ++steps;
    }
    EXPECT_EQ(steps, 6);
}

TEST(PersistentMap, behaves_as_an_ordered_map_with_versions) {
    std::mt19937 random(4711);
    std::map<int, std::string> model;
    IntMap map;
    std::vector<std::pair<IntMap, std::map<int, std::string>>> versions;
    for (int step = 0; step < 20000; ++step) {
        int key = static_cast<int>(random() % 500);
        if (random() % 3 == 0) {
            EXPECT_EQ(map.erase(key), model.erase(key) == 1);
        } else {
            std::string value = std::to_string(random());
            map.put(key, value);
            model[key] = value;
        }
        if (step % 1000 == 0) {
            versions.emplace_back(map, model);
        }
    }
    versions.emplace_back(map, model);
    for (const auto& [version, expected] : versions) {
        ASSERT_EQ(version.size(), expected.size());
        auto at = version.begin();
        for (const auto& [key, value] : expected) {
            ASSERT_EQ(at->first, key);
            ASSERT_EQ(at->second, value);
            ++at;
        }
        EXPECT_EQ(at, version.end());
    }
}

}  // namespace
}  // namespace moldau::metadata
