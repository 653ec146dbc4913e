# moldau_module(<name> FLOOR <n> SOURCES ... [DEPS ...] [LIBS ...] [TESTS ...] [TEST_DEPS ...])
#
# One static library per folder of src/. Its only own include directory is a private one that holds a
# single link, <name> -> src/<name>, so that `#include "storage/log.h"` compiles in a module exactly
# when that module lists storage in DEPS (or reaches it through one that does).
# A module may use lower floors, and its own floor when it says so in DEPS; using a higher floor, or a
# cycle, stops the configuration.
#
# DEPS are public (their headers may appear in ours); LIBS are packaged libraries, private unless
# written after the word PUBLIC_LIBS. TESTS build one program <name>_test, run by ctest case by case.
function(moldau_module name)
    cmake_parse_arguments(M "" "FLOOR" "SOURCES;DEPS;LIBS;PUBLIC_LIBS;TESTS;TEST_DEPS" ${ARGN})
    if(NOT DEFINED M_FLOOR)
        message(FATAL_ERROR "module ${name}: FLOOR is missing")
    endif()
    set(window ${CMAKE_BINARY_DIR}/modules/${name})
    file(MAKE_DIRECTORY ${window})
    file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${window}/${name} SYMBOLIC)

    add_library(moldau_${name} STATIC ${M_SOURCES})
    set_target_properties(moldau_${name} PROPERTIES MOLDAU_FLOOR ${M_FLOOR})
    target_include_directories(moldau_${name} PUBLIC ${window})
    foreach(dep IN LISTS M_DEPS)
        if(NOT TARGET moldau_${dep})
            message(FATAL_ERROR "module ${name} uses ${dep}, which is not declared before it: floors are built bottom up (src/CMakeLists.txt)")
        endif()
        get_target_property(dep_floor moldau_${dep} MOLDAU_FLOOR)
        if(dep_floor GREATER M_FLOOR)
            message(FATAL_ERROR "module ${name} (floor ${M_FLOOR}) may not use ${dep} (floor ${dep_floor})")
        endif()
        target_link_libraries(moldau_${name} PUBLIC moldau_${dep})
    endforeach()
    target_link_libraries(moldau_${name} PUBLIC ${M_PUBLIC_LIBS} PRIVATE ${M_LIBS})
    moldau_prelude(moldau_${name} prelude moldau_base)

    if(MOLDAU_TESTS AND M_TESTS)
        add_executable(${name}_test ${M_TESTS})
        target_link_libraries(${name}_test PRIVATE moldau_${name} moldau_test_main)
        foreach(dep IN LISTS M_TEST_DEPS)
            target_link_libraries(${name}_test PRIVATE moldau_${dep})
        endforeach()
        moldau_prelude(${name}_test test_prelude moldau_test_main)
        add_test(NAME unit.${name} COMMAND ${name}_test --gtest_brief=1)
        set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 600)
    endif()
endfunction()

# Gives a target the standard headers of cmake/<header>.h: precompiled by `owner` for all, or plainly
# included, so that objects do not depend on where a checkout lies and one cache serves several.
function(moldau_prelude target header owner)
    if(NOT MOLDAU_PCH)
        target_compile_options(${target} PRIVATE "SHELL:-include ${CMAKE_SOURCE_DIR}/cmake/${header}.h")
    elseif(target STREQUAL owner)
        target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/${header}.h)
    else()
        target_precompile_headers(${target} REUSE_FROM ${owner})
    endif()
endfunction()
